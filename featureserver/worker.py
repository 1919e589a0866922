"""One of several server processes: what `python -m featureserver.worker SPEC` runs for its parent.

It listens on its parent's sockets, and ends when its parent does, in whatever way that ends.
"""

import socket
import sys
from pathlib import Path

import msgspec

from registry.kernel.errors import FieldhouseError
from registry.kernel.parent import end_with_parent


class WorkerSpec(msgspec.Struct, frozen=True):
    """What the parent says. `descriptors` are listening sockets, inherited."""

    root: str
    descriptors: list[int]
    slot: int
    metrics: str
    drain_seconds: int


def run(spec: WorkerSpec) -> None:
    """Serve until SIGTERM."""
    from featureserver.hosting import host_app
    from featureserver.server import serve
    from registry.kernel.settings import read_settings

    settings = read_settings(Path(spec.root))
    sockets = [socket.socket(fileno=descriptor) for descriptor in spec.descriptors]
    with host_app(settings, metrics=Path(spec.metrics), slot=spec.slot) as app:
        serve(app, sockets, spec.drain_seconds, shared=True)


def main(argument: str) -> int:
    """Exit code 0, or 1 when the server cannot be opened."""
    from registry.kernel.logs import configure_logs

    configure_logs()
    end_with_parent()
    try:
        run(msgspec.json.decode(argument, type=WorkerSpec))
    except FieldhouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
