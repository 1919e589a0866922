"""Runs an ASGI application under uvicorn until SIGTERM or Ctrl-C, and lets requests finish."""

import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from featureserver.http_connection import HttpConnection
from featureserver.wakeful import Wakeful


def serve(
    app: Any,
    sockets: Sequence[socket.socket],
    drain_seconds: int,
    shared: bool = False,
    wakeful_seconds: float = 0.0,
) -> None:
    """Serve on these listening sockets; returns when asked to stop and the last answer is out.

    Requests under way get `drain_seconds`. In the main thread SIGTERM and SIGINT stop it. Sockets
    that other processes listen on too (`shared`) keep their paths. An application that is an
    `http_connection.Service` too is handed whole requests, without ASGI between, by a loop that
    stays awake for `wakeful_seconds` at most after an answer.
    """
    config = config_of(app, drain_seconds, wakeful_seconds)
    paths = [Path(name) for one in sockets if isinstance(name := one.getsockname(), str)]
    try:
        with _signals_as_exceptions(), suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=list(sockets))
    finally:
        for one in sockets:
            one.close()
        for path in paths if not shared else ():
            path.unlink(missing_ok=True)


def config_of(app: Any, drain_seconds: int = 5, wakeful_seconds: float = 0.0) -> uvicorn.Config:
    """uvicorn's configuration for an ASGI application, or for a service of whole requests."""
    whole: Any = "httptools"
    if hasattr(app, "respond"):
        whole = partial(HttpConnection, app, Wakeful(wakeful_seconds))
    return uvicorn.Config(
        app,
        http=whole,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=drain_seconds,
    )


def address_of(opened: socket.socket) -> str:
    """How a client names a listening socket: http://host:port, or unix:path."""
    name = opened.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """uvicorn sends itself the signal again when it is done, which would kill the process before
    the embedded Redis is ended; here it becomes an exception that unwinds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
