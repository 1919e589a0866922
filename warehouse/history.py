"""What a view's history looks like in its source: columns, roles and types. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class HistoryColumn:
    """A column of the source and the name and feature type that the view gives it."""

    name: str
    source_column: str
    dtype: str


@dataclass(frozen=True, slots=True)
class History:
    """One view's history: where it comes from and which column plays which part.

    `created` None means that the source does not say when a row became known: it was known at its
    event time. `features` are all of the view's, sorted by name: they break ties that
    `tie_breaker`, a source column, leaves.
    """

    source: Source
    keys: tuple[HistoryColumn, ...]
    event: str
    created: str | None
    features: tuple[HistoryColumn, ...]
    tie_breaker: str | None = None

    def columns(self) -> tuple[str, ...]:
        """The source columns that any question about this view can touch, without repeats."""
        more = (name for name in (self.created, self.tie_breaker) if name)
        times = (self.event, *more)
        named = (column.source_column for column in (*self.keys, *self.features))
        return tuple(dict.fromkeys((*named, *times)))

    def choose(self, features: Sequence[str]) -> tuple[HistoryColumn, ...]:
        """The named features, in the order asked; raises `NotFound` with the nearest names."""
        known = {column.name: column for column in self.features}
        for name in features:
            if name not in known:
                raise NotFound("feature", name, known)
        return tuple(known[name] for name in features)


def history_of(view: PublishedView) -> History:
    """The history behind a view. Raises `Invalid` when its source names no event time."""
    source = view.source.history
    if not source.timestamp_field:
        raise Invalid(
            f"view {view.key!r} has no history",
            f"its source {source.name!r} names no timestamp_field",
            "declare one, or a batch source behind the push source",
        )
    to_source = {new: old for old, new in source.field_mapping}
    features = (
        HistoryColumn(f.name, to_source.get(f.name, f.name), f.dtype) for f in view.features
    )
    return History(
        source=source,
        keys=tuple(
            HistoryColumn(k.name, to_source.get(k.name, k.name), k.dtype) for k in view.join_keys
        ),
        event=to_source.get(source.timestamp_field, source.timestamp_field),
        created=to_source.get(source.created_field, source.created_field)
        if source.created_field
        else None,
        features=tuple(sorted(features, key=lambda column: column.name)),
        tie_breaker=to_source.get(source.tie_breaker, source.tie_breaker)
        if source.tie_breaker
        else None,
    )
