"""An application on a real socket, served as we serve it: a client while the block runs."""

import asyncio
import threading
from contextlib import contextmanager

import httpx
import uvicorn

from featureserver.listen import listen_tcp
from featureserver.server import config_of


@contextmanager
def served(app):
    """An httpx client of `app`, which runs on a free port of the loopback."""
    socket = listen_tcp("127.0.0.1", 0)
    port = socket.getsockname()[1]
    server = uvicorn.Server(config_of(app))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[socket])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(15)
        socket.close()
