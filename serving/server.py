"""The model server as a process: what `python -m serving.server SPEC` runs. SPEC is one JSON text.

It tells its parent what it does in JSON lines on stdout and ends when the parent's end of stdin
closes, so that no server outlives the command that started it.
"""

import gc
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from featureserver.listen import listen_tcp, listen_unix
from registry.kernel.errors import FieldhouseError
from registry.kernel.parent import end_with_parent
from serving.shared import Shared
from serving.spec import THREAD_LIMITS, ServerSpec


def open_sockets(spec: ServerSpec) -> list[socket.socket]:
    """The sockets that a spec asks for. Raises as `featureserver.listen` does."""
    sockets = [socket.socket(fileno=descriptor) for descriptor in spec.descriptors]
    if spec.host is not None:
        sockets.append(listen_tcp(spec.host, spec.port))
    if spec.unix_socket is not None:
        sockets.append(listen_unix(Path(spec.unix_socket)))
    return sockets


def serve(spec: ServerSpec) -> None:
    """Import, load, listen, serve: one line on stdout after each of the first three."""
    import featureserver.server
    from registry.kernel.settings import read_settings
    from serving.bootstrap import import_runtimes, open_serving
    from serving.hosting import open_data_plane
    from serving.settings import DRAIN_SECONDS, WAKEFUL_MICROS

    settings = read_settings(Path(spec.root))
    serving = open_serving(settings, own_process=True)
    import_runtimes(serving, spec.models)
    _tell({"event": "imported"})
    if spec.hold:
        sys.stdin.readline()
    started = perf_counter()
    app = open_data_plane(
        serving,
        spec.models or None,
        lookup=spec.lookup,
        log=spec.log,
        shared=_shared(spec),
    )
    _tell({"event": "loaded", "seconds": perf_counter() - started})
    end_with_parent()
    sockets = open_sockets(spec)
    _tell({"event": "listening", "port": _port(sockets), "unix_socket": spec.unix_socket})
    gc.collect()
    gc.freeze()  # what is loaded stays: no collection under way shall go through it again
    featureserver.server.serve(
        app,
        sockets,
        int(settings.get(DRAIN_SECONDS)),
        shared=bool(spec.descriptors),
        wakeful_seconds=float(settings.get(WAKEFUL_MICROS)) / 1e6,
    )


def _shared(spec: ServerSpec) -> Shared:
    held_out, metrics = (Path(one) if one else None for one in (spec.held_out, spec.metrics))
    return Shared(held_out, metrics, spec.slot)


def _port(sockets: list[socket.socket]) -> int | None:
    ports = [s.getsockname()[1] for s in sockets if s.family != socket.AF_UNIX]
    return ports[0] if ports else None


def _tell(event: Mapping[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
    sys.stdout.flush()


def main(argument: str) -> int:
    """Exit code 0, or 1 after telling the parent which error ended it."""
    try:
        serve(msgspec.json.decode(argument, type=ServerSpec))
    except FieldhouseError as error:
        _tell({"event": "failed", "kind": error.kind, "error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    for variable in THREAD_LIMITS:
        os.environ.setdefault(variable, "1")
    sys.exit(main(sys.argv[1]))
