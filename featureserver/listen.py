"""Listening sockets, opened before the server runs so that one app answers on TCP and Unix both."""

import os
import socket
import stat
from pathlib import Path

from featureserver.redis_server import SOCKET_PATH_BYTES
from registry.kernel.errors import Misuse, Refused

_BACKLOG = 2048


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises `Refused` when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise Refused(
            f"cannot listen on {host}:{port}",
            str(error),
            "name another port with --port or features.port; 0 takes a free one",
        ) from error
    opened.listen(_BACKLOG)
    return opened


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket that only this user may open; a dead server's one is replaced.

    Raises `Refused` when a live server has it, `Misuse` when the path is too long or not a socket.
    """
    if len(os.fsencode(path)) >= SOCKET_PATH_BYTES:
        raise Misuse(f"socket path {path} is not shorter than {SOCKET_PATH_BYTES} bytes")
    _clear(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        opened.bind(str(path))
    except OSError as error:
        opened.close()
        raise Misuse(f"cannot listen on {path}", str(error)) from error
    finally:
        os.umask(before)
    opened.listen(_BACKLOG)
    return opened


def _clear(path: Path) -> None:
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise Misuse(f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise Refused(f"another server listens on {path}")
