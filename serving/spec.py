"""What a server process is told by its parent. Read by both, so it imports neither."""

import msgspec

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ServerSpec(msgspec.Struct, frozen=True):
    """What a server process shall do.

    `models` are (name, version) pairs to serve without asking the registry, as the gate does with a
    candidate; empty means: follow the registry's champions. `hold` waits for a line on stdin
    between importing and loading, so that the parent can measure in between. `descriptors` are
    listening sockets that were opened by the parent; `held_out` and `metrics` are folders that the
    workers of one server share, each of which has a `slot` of its own.
    """

    root: str
    models: tuple[tuple[str, str], ...] = ()
    host: str | None = None
    port: int = 0
    unix_socket: str | None = None
    lookup: bool = True
    log: bool = True
    hold: bool = False
    descriptors: tuple[int, ...] = ()
    held_out: str | None = None
    metrics: str | None = None
    slot: int = 0
