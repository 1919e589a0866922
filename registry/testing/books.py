"""The books of the registry in dicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.core.audit import Event
from registry.kernel.clock import Clock, FixedClock
from registry.kernel.errors import Conflict, NotFound
from registry.ports import DatasetRecord, ModelRecord, UsageRecord, Watermark
from registry.testing.builders import NOON


class InMemoryWatermarks:
    """A `WatermarkBook` in a dict."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Watermark] = {}

    def read(self, view_key: str, generation: int) -> Watermark | None:
        return self._marks.get((view_key, generation))

    def write(self, mark: Watermark) -> None:
        self._marks[mark.view_key, mark.generation] = mark


class InMemoryUsage:
    """A `UsageBook` in a dict."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str, str], UsageRecord] = {}

    def add(self, records: Sequence[UsageRecord]) -> None:
        for one in records:
            key = (one.ref, one.service, one.caller)
            known = self._records.get(key)
            self._records[key] = one if known is None else known.plus(one)

    def all(self, ref: str | None = None) -> Sequence[UsageRecord]:
        found = [one for one in self._records.values() if ref in (None, one.ref)]
        return sorted(found, key=lambda one: (-one.requests, one.ref, one.service))


class InMemoryDatasets:
    """A `DatasetBook` in a dict."""

    def __init__(self) -> None:
        self._records: dict[str, DatasetRecord] = {}

    def add(self, record: DatasetRecord) -> None:
        known = self._records.get(record.name)
        if known is not None and known.manifest_digest != record.manifest_digest:
            raise Conflict(f"a training set named {record.name!r} exists", known.manifest_digest)
        self._records.setdefault(record.name, record)

    def get(self, name: str) -> DatasetRecord:
        if name not in self._records:
            raise NotFound("training set", name, self._records)
        return self._records[name]

    def all(self) -> Sequence[DatasetRecord]:
        return tuple(self._records.values())

    def remove(self, name: str, actor: str, reason: str) -> None:
        del self._records[self.get(name).name]


class InMemoryModels:
    """A `ModelBook` in dicts; `events` lists (actor, action, name, version, reason)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FixedClock(NOON)
        self._history: list[Event] = []
        self._records: dict[tuple[str, str], ModelRecord] = {}
        self._champions: dict[str, str] = {}
        self.events: list[tuple[str, str, str, str, str]] = []

    def save(
        self,
        record: ModelRecord,
        actor: str,
        action: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self._records[record.name, record.version] = record
        self._note(actor, action, record.name, record.version, reason, detail)

    def _note(
        self,
        actor: str,
        action: str,
        name: str,
        version: str,
        reason: str,
        detail: Mapping[str, Any] | None,
    ) -> None:
        self.events.append((actor, action, name, version, reason))
        at, subject = self._clock(), f"{name}@{version}"
        self._history.append(Event(at, actor, action, subject, reason, detail=detail))

    def get(self, name: str, version: str | None = None) -> ModelRecord:
        found = [r for (n, v), r in self._records.items() if n == name and version in (None, v)]
        if not found:
            raise NotFound("model", name, {n for n, _ in self._records})
        return found[-1]

    def all(self, name: str | None = None) -> Sequence[ModelRecord]:
        return tuple(r for (n, _), r in self._records.items() if name in (None, n))

    def champion(self, name: str) -> ModelRecord | None:
        version = self._champions.get(name)
        return self._records[name, version] if version else None

    def set_champion(
        self,
        name: str,
        version: str,
        actor: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self.get(name, version)
        self._champions[name] = version
        self._note(actor, "model:champion", name, version, reason, detail)

    def note(self, name: str, version: str, actor: str, action: str, reason: str) -> None:
        self._note(actor, action, name, version, reason, None)

    def history(self, name: str) -> Sequence[Event]:
        return [event for event in self._history if event.subject.startswith(f"{name}@")]
