"""Who reads what: feature services, training sets and model versions by the feature they use."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from registry.core.borrowing import home_pins
from registry.core.state import NamespaceState, ServiceRecord
from registry.kernel.clock import format_instant

QUIET_DAYS = 30
ReaderKind = Literal["service", "training set", "model", "caller"]


@dataclass(frozen=True, slots=True, order=True)
class Reader:
    """Something that breaks when a feature it reads changes; `owner` answers for it.

    A caller is known by its use alone: `last_at` says when it last looked the feature up.
    """

    kind: ReaderKind
    name: str
    owner: str = field(default="", compare=False)
    last_at: datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        last = f", last on {format_instant(self.last_at)}" if self.last_at is not None else ""
        return f"{self.kind} {self.name}{last}"

    def quiet(self, now: datetime) -> bool:
        """Whether it is a caller that has not come for `QUIET_DAYS`."""
        return self.last_at is not None and now - self.last_at > timedelta(days=QUIET_DAYS)


Readers = Mapping[str, tuple[Reader, ...]]


def service_readers(state: NamespaceState) -> Iterable[tuple[str, Reader]]:
    """(`view:feature@version`, service) for every pin of every service."""
    for name, record in state.services.items():
        for pin in record.pinned:
            view = pin.view.split("@")[0]
            yield (
                f"{view}:{pin.feature}@{pin.version}",
                Reader("service", name, record.definition.owner),
            )


def borrowing_readers(
    namespace: str, services: Iterable[tuple[str, ServiceRecord]]
) -> Iterable[tuple[str, Reader]]:
    """(`view:feature@version`, reader) of services of other namespaces, given with those; such a
    reader is called `namespace/service`."""
    for borrower, record in services:
        name = f"{borrower}/{record.definition.name}"
        for pin in home_pins(namespace, [record]):
            view = pin.view.split("@")[0]
            yield (
                f"{view}:{pin.feature}@{pin.version}",
                Reader("service", name, record.definition.owner),
            )


def index_readers(pairs: Iterable[tuple[str, Reader]]) -> Readers:
    """Readers by `view:feature@version`, sorted, each once."""
    found: dict[str, set[Reader]] = defaultdict(set)
    for ref, reader in pairs:
        found[ref].add(reader)
    return {ref: tuple(sorted(readers)) for ref, readers in found.items()}
