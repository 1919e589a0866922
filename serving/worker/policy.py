"""What an isolated worker is granted, by the server, never by a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """What an isolated worker process is granted.

    A call that takes longer than `seconds` costs the worker its life, as does a start longer than
    `start_seconds`. `memory_bytes` limits its address space, 0 does not. `environments` are Python
    interpreters by name: a bundle names one of them, or gets the server's own.
    """

    seconds: float = 5.0
    start_seconds: float = 60.0
    memory_bytes: int = 4 << 30
    environments: Mapping[str, str] = field(default_factory=dict)
