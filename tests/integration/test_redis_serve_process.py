"""The server as a process: it drains on SIGTERM and leaves no Redis and no socket behind."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest

CODE = """
import sys, time
from pathlib import Path
from featureserver.hosting import host_app
from featureserver.listen import listen_tcp, listen_unix
from featureserver.server import address_of, serve
from registry.kernel.settings import Settings
from registry.testing import InMemoryRegistry, feature, published, view

folder = Path(sys.argv[1])
settings = Settings(folder, None, {"clock": {"instant": "2013-10-01T12:00:00Z"}}, {})
registry = InMemoryRegistry(published(view("v", [feature("f")])))
sockets = [listen_tcp("127.0.0.1", 0), listen_unix(folder / "f.sock")]
with host_app(settings, registry) as app:
    print(address_of(sockets[0]), flush=True)
    serve(app, sockets, 5)
print("unwound", flush=True)
"""


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="fh-") as made:
        yield Path(made)


@pytest.fixture
def process(folder):
    command = [sys.executable, "-c", CODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def wait_until_healthy(address):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not come up")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_redis_in_order(process, folder, sent):
    address = process.stdout.readline().strip()
    wait_until_healthy(address)
    body = {"features": ["v:f"], "entities": {"id": [1]}}
    found = httpx.post(f"{address}/get-online-features", json=body).json()["results"][1]
    assert found["statuses"] == ["NOT_FOUND"]
    process.send_signal(sent)
    assert process.stdout.read().strip() == "unwound"
    assert process.wait(10) == 0
    assert not (folder / "f.sock").exists()
    assert not (folder / ".fieldhouse" / "redis" / "redis.sock").exists()
