"""An ASGI application on a real socket, for the tests: a client while the block runs."""

import asyncio
import threading
from contextlib import contextmanager

import httpx
import uvicorn

from featureserver.listen import listen_tcp


@contextmanager
def served(app):
    """An httpx client of `app`, which runs on a free port of the loopback."""
    socket = listen_tcp("127.0.0.1", 0)
    port = socket.getsockname()[1]
    config = uvicorn.Config(app, http="httptools", ws="none", lifespan="on", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[socket])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(15)
        socket.close()
