"""Plans: how a feature service, or a list of references, is looked up. Values only; pure.

`compile_plan` makes them against one published state; a plan is thrown away when its number moves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from featureserver.decoders import Decoder
from featureserver.keys import KeySpace
from featureserver.values import Convert, to_json
from registry.core.published import PublishedOnDemand
from registry.kernel.errors import Invalid

Transform = Callable[[Mapping[str, Sequence[Any]]], dict[str, list[Any]]]
TransformCompiler = Callable[[PublishedOnDemand], Transform]


class NameCollision(Invalid):
    """Two features of one request would have the same name in the answer."""


@dataclass(frozen=True, eq=False)
class PlannedFeature:
    """One feature that is read. `label` names it in answers; `default` is a wire value or None.

    `quarantined` features answer what `staleness` says instead of what is stored.
    """

    label: str
    ref: str
    versioned: str
    name: str
    dtype: str
    staleness: str
    default: Any
    quarantined: bool

    @cached_property
    def as_json(self) -> Convert | None:
        """Wire value to JSON's; None: it is the same."""
        return to_json(self.dtype)

    @cached_property
    def floating(self) -> bool:
        """Whether values are numbers that JSON may be unable to say."""
        return self.dtype in ("float32", "float64")


@dataclass(frozen=True, slots=True)
class PlannedView:
    """One view that is read; its features' places among the plan's columns are `places`."""

    key: str
    name: str
    line: int
    space: KeySpace
    decoder: Decoder
    ttl_micros: int | None
    features: tuple[PlannedFeature, ...]
    places: tuple[int, ...]
    quarantined: bool = False
    floats: bool = False  # all its features are


@dataclass(frozen=True, slots=True)
class PlannedTransform:
    """An on-demand view: input name to column place, request fields with their types, outputs and
    their places."""

    name: str
    function: Transform
    inputs: tuple[tuple[str, int], ...]
    request_fields: tuple[tuple[str, str], ...]
    outputs: tuple[PlannedFeature, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A deprecated feature that the plan serves: for headers and logs."""

    ref: str
    sunset: datetime | None
    replaced_by: str | None


@dataclass(frozen=True, eq=False)
class Plan:
    """How one service, or one list of references, is looked up.

    `entity_names` are the join keys and request fields that a request must bring, `aliases` maps
    entity names to join keys. `shown` are the places of the columns that the answer has, in the
    order of the request; columns beyond are inputs of on-demand views.
    """

    request: str | tuple[str, ...]
    full_feature_names: bool
    number: int
    at: datetime
    entity_names: Mapping[str, str]
    aliases: Mapping[str, str]
    views: tuple[PlannedView, ...]
    transforms: tuple[PlannedTransform, ...]
    columns: tuple[PlannedFeature, ...]
    shown: tuple[int, ...]
    notices: tuple[Notice, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features in the answer, in order."""
        return tuple(self.columns[place].label for place in self.shown)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Every feature that is read or computed for this, as `view:feature@version`."""
        return tuple(dict.fromkeys(column.versioned for column in self.columns))

    @cached_property
    def key_groups(self) -> tuple[tuple[KeySpace, tuple[bytes, ...]], ...]:
        """Views of the same entities one after the other: how to encode those once, and what
        each view adds. In the order of `views`."""
        groups: dict[Any, tuple[KeySpace, list[bytes]]] = {}
        for view in self.views:
            groups.setdefault(view.space.entity, (view.space, []))[1].append(view.space.suffix)
        return tuple((space, tuple(suffixes)) for space, suffixes in groups.values())

    @cached_property
    def pick(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """From the columns of all views, then of all transforms, the shown ones in order."""
        holders: tuple[PlannedView | PlannedTransform, ...] = (*self.views, *self.transforms)
        order = [place for one in holders for place in one.places]
        picks = [order.index(place) for place in self.shown]
        return itemgetter(*picks) if len(picks) > 1 else lambda columns: (columns[picks[0]],)

    @cached_property
    def in_order(self) -> bool:
        """Whether the answer has all columns, in the order in which they are made."""
        holders: tuple[PlannedView | PlannedTransform, ...] = (*self.views, *self.transforms)
        return self.shown == tuple(place for one in holders for place in one.places)

    @property
    def label(self) -> str:
        """The service's name, or how many features were listed: for metrics and logs."""
        return self.request if isinstance(self.request, str) else "ad hoc"
