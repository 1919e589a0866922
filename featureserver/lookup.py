"""Lookups: entities and features to values, in process. No HTTP here.

One round trip to the store per lookup, whatever the number of views.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from featureserver.answer import Block, Column, block_of, settle, settle_as_feast, stand_ins
from featureserver.instants import micros_of
from featureserver.matrix import Matrix, one_row_of, to_matrix
from featureserver.on_demand import run_transform
from featureserver.plan import Plan
from featureserver.ports import AsyncReader, OnlineStore
from featureserver.state import PlanBook
from featureserver.usage import Usage
from registry.kernel.clock import Clock, system_clock
from registry.kernel.errors import Invalid, Refused, Unavailable, nearest_names

Entities = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class LookupResult:
    """n rows of answers: the entities as given, then the features in request order, as `blocks`
    of those that lie in the same rows, or as one `Column` each.

    `degraded` means that the store did not answer and all values are defaults, by policy.
    """

    plan: Plan
    at: datetime
    entities: Mapping[str, list[Any]]
    blocks: Sequence[Block]
    degraded: bool = False

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for block in self.blocks for column in block.columns())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def count(self) -> int:
        """How many rows were asked for."""
        return len(next(iter(self.entities.values()), ()))

    def column(self, name: str) -> Column:
        """The column of that name; raises KeyError."""
        return next(c for c in self.columns if c.name == name) if name in self.names else _no(name)

    def to_dict(self) -> dict[str, list[Any]]:
        """Entities and features by name, Python values, as Feast's `to_dict` has them."""
        return {**self.entities, **{column.name: column.values for column in self.columns}}


@dataclass(frozen=True, slots=True)
class Question:
    """What a plan asks of the store for `count` entities: the keys of the first view, then of the
    next. `nulls` are, per view, the rows that have no key."""

    plan: Plan
    entities: Mapping[str, list[Any]]
    count: int
    keys: list[bytes]
    nulls: list[list[int]]


class Lookup:
    """Looks features up by plan, from threads (`get`, `matrix`) or a loop (`get_async`, …)."""

    def __init__(
        self,
        plans: PlanBook,
        store: OnlineStore,
        clock: Clock = system_clock,
        reader: AsyncReader | None = None,
        resources: ExitStack | None = None,
        caller: str = "(in process)",
    ) -> None:
        self.plans = plans
        self.store = store
        self.clock = clock
        self.reader = reader
        self.resources = resources or ExitStack()
        self.usage = Usage()
        self.caller = caller

    def close(self) -> None:
        """Let go of what was opened for this lookup: its store, an embedded Redis."""
        self.resources.close()

    async def close_async(self) -> None:
        """Let go of the connections that belong to the event loop at hand."""
        if self.reader is not None:
            await self.reader.close()

    def refresh(self) -> None:
        """Ask the registry for its published state, away from requests, which from now on never
        wait for that. Whoever calls this goes on calling it."""
        self.plans.polled = True
        self.plans.refresh()

    def plan(self, features: str | Sequence[str], *, full_feature_names: bool = False) -> Plan:
        """Compile, or find compiled, the plan for a service (str) or a list of references."""
        return self.plans.plan(features, full_feature_names)

    def get(
        self,
        features: str | Sequence[str],
        entities: Entities,
        *,
        full_feature_names: bool = False,
        at: datetime | None = None,
    ) -> LookupResult:
        """Values for every row of `entities` (join key or request field to values of one length).

        `features` is a feature service's name or references `view:feature[@version]`. The ttl is
        judged at `at`, by default now. Raises `NotFound`, `Gone`, `Refused`, `Invalid` or
        `Unavailable`.
        """
        question = ask(self.plan(features, full_feature_names=full_feature_names), entities)
        return self._answered(question, at)

    async def get_async(
        self,
        features: str | Sequence[str],
        entities: Entities,
        *,
        full_feature_names: bool = False,
    ) -> LookupResult:
        """`get` for an event loop."""
        question = ask(self.plan(features, full_feature_names=full_feature_names), entities)
        return await self._answered_async(question)

    def matrix(
        self,
        plan: Plan,
        entities: Entities,
        caller: str | None = None,
        *,
        at: datetime | None = None,
    ) -> Matrix:
        """Features as float64 [n, k]; raises `Refused` when one of them is not a number.

        The use is counted as `caller`'s, or the lookup's own."""
        plan = self._current(plan)
        keys = one_row_of(plan).keys(entities)
        if keys is None:
            return _matrix_of(self._answered(ask(plan, entities), at, caller))
        self.usage.note(plan, caller or self.caller, 1)
        try:
            found = self.store.read(keys)
        except Unavailable as error:
            return _matrix_of(answer_without(ask(plan, entities), at or self.clock(), error))
        return _matrix(plan, entities, found, at or self.clock())

    async def matrix_async(
        self, plan: Plan, entities: Entities, caller: str | None = None
    ) -> Matrix:
        """`matrix` for an event loop."""
        plan = self._current(plan)
        keys = one_row_of(plan).keys(entities)
        if keys is None:
            return _matrix_of(await self._answered_async(ask(plan, entities), caller))
        self.usage.note(plan, caller or self.caller, 1)
        try:
            found = await self._read(keys)
        except Unavailable as error:
            return _matrix_of(answer_without(ask(plan, entities), self.clock(), error))
        return _matrix(plan, entities, found, self.clock())

    def _answered(
        self, question: Question, at: datetime | None, caller: str | None = None
    ) -> LookupResult:
        self.usage.note(question.plan, caller or self.caller, question.count)
        try:
            found = self.store.read(question.keys)
        except Unavailable as error:
            return answer_without(question, at or self.clock(), error)
        return answer(question, found, at or self.clock())

    async def _answered_async(self, question: Question, caller: str | None = None) -> LookupResult:
        self.usage.note(question.plan, caller or self.caller, question.count)
        try:
            found = await self._read(question.keys)
        except Unavailable as error:
            return answer_without(question, self.clock(), error)
        return answer(question, found, self.clock())

    async def _read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if self.reader is None:
            raise Refused("this lookup has no reader for an event loop", hint="use get or matrix")
        return await self.reader.read(keys)

    def _current(self, plan: Plan) -> Plan:
        """The same request planned for the state in force: generations may have moved."""
        return self.plans.plan(plan.request, plan.full_feature_names)


def ask(plan: Plan, entities: Entities) -> Question:
    """Check the entities against the plan and encode their keys.

    Raises `Invalid` for missing or surplus names, columns of unequal length and wrong types.
    """
    rows = _checked(plan, entities)
    keys: list[bytes] = []
    nulls: list[list[int]] = []
    for space, suffixes in plan.key_groups:
        made = space.entities(rows)
        gone = [row for row, entity in enumerate(made) if entity is None] if None in made else []
        given = [entity for entity in made if entity is not None] if gone else made
        for suffix in suffixes:
            keys += [entity + suffix for entity in given]  # type: ignore[operator]
            nulls.append(gone)
    return Question(plan, rows, len(next(iter(rows.values()), ())), keys, nulls)


def answer(
    question: Question,
    found: Sequence[bytes | None],
    now: datetime,
    feast_answers: bool = False,
) -> LookupResult:
    """Decode what the store gave (one value per key asked) and settle every status at `now`.

    `feast_answers` gives what Feast's own server would: see `answer.settle_as_feast`.
    """
    plan, count, now_micros = question.plan, question.count, micros_of(now)
    blocks: list[Block] = []
    at = 0
    for view, nulls in zip(plan.views, question.nulls, strict=True):
        end = at + count - len(nulls)
        raw = found[at:end]
        at = end
        if nulls:
            raw = list(raw)
            for row in nulls:  # ascending, so each lands in its place
                raw.insert(row, None)
        decoded = view.decoder.decode(raw)
        blocks.append(
            settle_as_feast(view, decoded) if feast_answers else settle(view, decoded, now_micros)
        )
    return LookupResult(plan, now, question.entities, _shown(question, blocks))


def answer_without(question: Question, now: datetime, error: Unavailable) -> LookupResult:
    """The answer when the store does not: defaults, if every feature read has policy "default".

    Otherwise raises `error`: nobody is told a value that no policy allows.
    """
    blocks: list[Block] = []
    for view in question.plan.views:
        made = stand_ins(view, question.count)
        if made is None:
            raise error
        blocks.append(made)
    shown = _shown(question, blocks)
    return LookupResult(question.plan, now, question.entities, shown, degraded=True)


def _shown(question: Question, blocks: list[Block]) -> list[Block]:
    """The views' blocks and the on-demand views' in the order of the request."""
    plan = question.plan
    if plan.transforms:
        blocks = [*blocks, *_transformed(question, blocks)]
    if plan.in_order:
        return blocks
    columns = [column for block in blocks for column in block.columns()]
    return [block_of(column) for column in plan.pick(columns)]


def _transformed(question: Question, blocks: list[Block]) -> list[Block]:
    """The columns of the on-demand views, in their order."""
    plan, made = question.plan, []
    places = [place for view in plan.views for place in view.places]
    columns = [column for block in blocks for column in block.columns()]
    by_place = dict(zip(places, columns, strict=True))
    for transform in plan.transforms:
        block = run_transform(transform, by_place, question.entities, question.count)
        by_place.update(zip(transform.places, block.columns(), strict=True))
        made.append(block)
    return made


def _matrix(plan: Plan, entities: Entities, found: Sequence[bytes | None], now: datetime) -> Matrix:
    made = one_row_of(plan).matrix(found, now)
    return made or _matrix_of(answer(ask(plan, entities), found, now))


def _matrix_of(result: LookupResult) -> Matrix:
    return to_matrix(result.plan, result.columns, result.count, result.at)


def _checked(plan: Plan, entities: Entities) -> dict[str, list[Any]]:
    if entities.keys() == plan.entity_names.keys():
        rows = {name: _listed(name, values) for name, values in entities.items()}
    else:
        rows = _renamed(plan, entities)
    lengths = {len(values) for values in rows.values()}
    if len(lengths) > 1:
        shown = ", ".join(f"{name}: {len(values)}" for name, values in rows.items())
        raise Invalid("entity columns must be of one length", f"found {shown}")
    return rows


def _renamed(plan: Plan, entities: Entities) -> dict[str, list[Any]]:
    rows = {plan.aliases.get(n, n): _listed(n, values) for n, values in entities.items()}
    surplus = [name for name in rows if name not in plan.entity_names]
    missing = [name for name in plan.entity_names if name not in rows]
    if surplus or missing:
        needed = ", ".join(f"{name} ({dtype})" for name, dtype in plan.entity_names.items())
        raise Invalid(_complaint(missing, surplus), f"needed: {needed}", _near(plan, surplus))
    return rows


def _complaint(missing: list[str], surplus: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"entities lack {', '.join(missing)}")
    if surplus:
        parts.append(f"entities have {', '.join(surplus)}, which no feature asked for needs")
    return "; ".join(parts)


def _near(plan: Plan, surplus: list[str]) -> str:
    near = [n for name in surplus for n in nearest_names(name, plan.entity_names)]
    return f"nearest: {', '.join(dict.fromkeys(near))}" if near else ""


def _listed(name: str, values: Any) -> list[Any]:
    if type(values) is list:
        return values
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise Invalid(f"entity {name!r} must be a list of values", f"found {values!r}")
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _no(name: str) -> Column:
    raise KeyError(name)
