"""What a materialization is asked for, its policy, and what it uses of the registry. Values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from featureserver.offline import Offline
from registry.core.lifecycle import CheckKind
from registry.core.published import PublishedView
from registry.kernel.errors import Invalid, Misuse
from registry.ports import GenerationSwitch, PublishedReader, WatermarkBook

OnFailedQuality = Literal["block", "quarantine", "warn"]


class Quarantine(Protocol):
    """Takes a feature (`view:feature@version`) out of trust, for a reason."""

    def __call__(self, ref: str, reason: str, actor: str) -> object: ...


class StoreResults(Protocol):
    """Keeps what a check (quality, parity) found of a view's features: a sentence a failure."""

    def __call__(
        self, view: PublishedView, kind: CheckKind, failures: Sequence[str], actor: str
    ) -> object: ...


class KeepSketches(Protocol):
    """Sketches a view's values again and keeps that, for duplicates to be found by."""

    def __call__(self, engine: Offline, view: PublishedView) -> object: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a materializer uses of the registry. `quarantine`, `results` and `sketches` None: there
    is nobody to tell."""

    published: PublishedReader
    watermarks: WatermarkBook
    switch_generation: GenerationSwitch
    quarantine: Quarantine | None = None
    results: StoreResults | None = None
    sketches: KeepSketches | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How the store is written: seconds a row outlives its ttl in Redis (0: it stays), and how far
    an incremental run reaches back behind the last one's end; what failed expectations do; how many
    views at a time; how long readers may take to move to a new generation; how many entities of a
    view are compared at the end."""

    retention_seconds: float = 0.0
    late_arrival_seconds: float = 3600.0
    on_failed_quality: OnFailedQuality = "block"
    parallel: int = 2
    grace_seconds: float = 5.0
    parity_keys: int = 200
    profile: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked for; see `Materializer.run`."""

    since: datetime | None
    until: datetime
    actor: str = ""
    rewrite: bool = False
    rebuild: bool = False
    dry_run: bool = False
    parity: bool = True

    def check(self, now: datetime) -> None:
        """Raise `Invalid` for an empty or future span, `Misuse` for a rebuild of a span."""
        if self.since is not None and self.since >= self.until:
            span = f"since {self.since.isoformat()} until {self.until.isoformat()}"
            raise Invalid("the span is empty", span)
        if self.until > now:
            raise Invalid(
                f"until {self.until.isoformat()} is in the future",
                f"it is {now.isoformat()}",
                "leave it out to materialize until now",
            )
        if self.rebuild and self.since is not None:
            raise Misuse("a rebuild starts at the beginning", hint="leave out --since")
