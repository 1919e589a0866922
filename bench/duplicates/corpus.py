"""The corpus: registered views, and cases to be proposed, each feature with its label and family.

The same at each call. Nothing is run here; `truth.py` says which labels hold.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.duplicates.derived import derived_views
from bench.duplicates.families import DUPLICATES, LABELS, NEAR
from bench.duplicates.honest import honest_views
from bench.duplicates.near import Change, changes
from bench.duplicates.on_demand import FUNCTIONS
from bench.duplicates.registered import registered
from bench.duplicates.render import render
from bench.duplicates.shapes import Item, View, described, item_name
from bench.duplicates.style import PLAIN, Inapplicable, Style
from bench.duplicates.vocabulary import TEXT

A_FAMILY: Final = {"duplicate": 13, "near": 20}
# More of those of which most turn out to have no nulls to fill.
FILLED: Final = frozenset({"zero_for_null", "sentinel_for_null", "minus_one_for_null"})
A_FILLED: Final = 60
PYTHON: Final = frozenset({"python", "pandas", "scaled_in_python", "python_loop", "pandas_scaled"})
PANDAS: Final = frozenset({"pandas", "pandas_scaled"})


@dataclass(frozen=True, slots=True)
class Known:
    """A registered view: its name, query, and the description of each feature."""

    name: str
    view: View
    sql: str

    def features(self) -> Iterator[tuple[str, Item]]:
        return ((item_name(self.view, item), item) for item in self.view.items)


@dataclass(frozen=True, slots=True)
class Case:
    """One proposed feature. `of` is the registered `view:feature` that it copies, or empty."""

    name: str
    family: str
    description: str
    unit: str
    dtype: str
    of: str = ""
    change: Change | None = None
    python: str = ""

    @property
    def label(self) -> str:
        return LABELS[self.family]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A proposed view: a query, or a query of parts with an on-demand view over them."""

    name: str
    view: View
    sql: str
    cases: tuple[Case, ...]
    extra: tuple[str, ...] = field(default=())

    def key(self, case: Case) -> str:
        """The name of one of its cases, which no other bears."""
        return f"{self.name}:{case.name}"

    @property
    def copies(self) -> frozenset[str]:
        return frozenset(case.of for case in self.cases if case.of)


def known_views() -> tuple[Known, ...]:
    """The registered views under plain names."""
    found = []
    for view in registered():
        stem = "_".join((*view.entity, view.stream.name, view.horizon))
        tail = "_".join(c.words.replace(" ", "_").replace("-", "_") for c in view.conditions)
        if view.join is not None:
            tail += "_by_plane"
        name = f"{stem}_{tail}".strip("_").lower()
        found.append(Known(name, view, render(view)))
    return tuple(found)


def case_views(known: Sequence[Known]) -> list[CaseView]:
    """All proposed views: duplicates, near copies, honest ones."""
    return _numbered([*_copies(known), *honest_case_views(known), *_derived(known)])


def copy_views(known: Sequence[Known]) -> list[CaseView]:
    """The first of them, which are the copies."""
    return _numbered(_copies(known))


def _numbered(views: Sequence[CaseView]) -> list[CaseView]:
    return [replace(view, name=f"case_{n:04d}_{view.name}") for n, view in enumerate(views)]


def _copies(known: Sequence[Known]) -> list[CaseView]:
    return [*_duplicates(known), *_near(known), *_python(known)]


def _chance(family: str) -> random.Random:
    """Of each family by itself, so that one more changes no other."""
    return random.Random(f"2013 {family}")


def dtype_of(item: Item) -> str:
    """The Feast type of a feature as it is registered."""
    measure = item.measure
    if measure.name in TEXT:
        return "String"
    if measure.kind in ("count", "distinct"):
        return "Int64"
    whole = measure.kind in ("max", "min", "value") and measure.of.strip("[]+") in _WHOLE_COLUMNS
    return "Int64" if whole else "Float64"


_WHOLE_COLUMNS = frozenset(
    {"arr_delay", "dep_delay", "air_time", "distance", "seats", "year_built", "engines"}
)


def _single(known: Known, *items: Item) -> View:
    return replace(known.view, items=tuple(items))


def _spread(
    options: Sequence[tuple[Known, Item, Change]], wanted: int, chance: random.Random
) -> list[tuple[Known, Item, Change]]:
    """As many as wanted, spread over views before a view is used twice."""
    shuffled = list(options)
    chance.shuffle(shuffled)
    used: dict[str, int] = {}
    ranked: list[tuple[int, int, tuple[Known, Item, Change]]] = []
    for option in shuffled:
        name = option[0].name
        ranked.append((used.get(name, 0), len(ranked), option))
        used[name] = used.get(name, 0) + 1
    return [option for _, _, option in sorted(ranked, key=lambda r: r[:2])[:wanted]]


def _differs(known: Known, item: Item, way: str) -> bool:
    view = _single(known, item)
    try:
        return render(view, Style(frozenset({way}))) != render(view, PLAIN)
    except Inapplicable:
        return False


def _duplicates(known: Sequence[Known]) -> Iterator[CaseView]:
    for family in DUPLICATES:
        if family in PYTHON:
            continue
        chance = _chance(family)
        renamed = family == "rename"
        options = [
            (k, item, Change())
            for k in known for _, item in k.features()
            if renamed or _differs(k, item, family)
        ]  # fmt: skip
        for k, item, change in _spread(options, A_FAMILY["duplicate"], chance):
            name = _new_name(item_name(k.view, item), chance, always=renamed)
            style = Style(frozenset({family}))
            yield _copied(k, item, family, style, name, change)


def _near(known: Sequence[Known]) -> Iterator[CaseView]:
    for family in NEAR:
        if family in PYTHON:
            continue
        chance = _chance(family)
        options = [
            (k, item, change)
            for k in known for _, item in k.features()
            for change in changes(family, k.view, item)
        ]  # fmt: skip
        wanted = A_FILLED if family in FILLED else A_FAMILY["near"]
        for k, item, change in _spread(options, wanted, chance):
            plain = item_name(k.view, item)
            style = Style(frozenset(), {plain: change.wrap}, change.later)
            yield _copied(k, item, family, style, _new_name(plain, chance), change)


def _copied(
    known: Known, item: Item, family: str, style: Style, name: str, change: Change
) -> CaseView:
    view = _single(known, item)
    plain = item_name(view, item)
    case = Case(
        name=name, family=family, description=described(view, item, 1),
        unit=change.unit or item.measure.unit, dtype=change.dtype or dtype_of(item),
        of=f"{known.name}:{plain}", change=change,
    )  # fmt: skip
    return CaseView(family, view, render(view, style, {plain: name}), (case,))


def _new_name(plain: str, chance: random.Random, always: bool = False) -> str:
    """Half of the copies bear another name."""
    if not always and chance.random() < 0.5:
        return plain
    stems = {"mean": "avg", "late": "delayed", "flights": "departures_n", "max": "worst",
             "total": "sum", "arr_delay": "arrival_lateness", "rate": "pct",
             "min": "lowest"}  # fmt: skip
    for old, new in stems.items():
        plain = plain.replace(old, new)
    return f"{plain}_{chance.choice(('v2', 'feature', 'x', 'kpi'))}"


def _python(known: Sequence[Known]) -> Iterator[CaseView]:
    """Means and shares whose division is made in Python on demand."""
    options = [
        (k, item, Change())
        for k in known for _, item in k.features()
        if item.measure.kind in ("mean", "share") and k.view.horizon in ("rolling", "hours", "day")
    ]  # fmt: skip
    for family in sorted(PYTHON):
        chance = _chance(family)
        wanted = A_FAMILY[LABELS[family]]
        for k, item, _ in _spread(options, wanted, chance):
            found = changes(family, k.view, item) if family in NEAR else (Change(),)
            if found:
                yield _in_python(k, item, family, found[0], chance)


def _in_python(
    known: Known, item: Item, family: str, change: Change, chance: random.Random
) -> CaseView:
    view = _single(known, item)
    plain = item_name(view, item)
    name = _new_name(plain, chance, always=True)
    parts = render(view, Style(frozenset({"in_parts"})), {plain: "bottom"})
    case = Case(
        name=name, family=family, description=described(view, item, 1),
        unit=change.unit or item.measure.unit, dtype="Float64",
        of=f"{known.name}:{plain}", change=change,
        python=FUNCTIONS[family].format(name=name, python=change.python),
    )  # fmt: skip
    return CaseView(family, view, parts, (case,), ("top", "bottom"))


def _derived(known: Sequence[Known]) -> Iterator[CaseView]:
    """Features made of registered ones, which are no copies of them."""
    texts = {k.name: k.sql for k in known}
    for made in derived_views([(k.name, k.view) for k in known]):
        cases = [
            Case(d.name, d.family, d.description, d.item.measure.unit, "Float64")
            for d in made.features
        ]
        yield CaseView("honest", made.view, made.query(texts[made.known]), tuple(cases))


def honest_case_views(known: Sequence[Known]) -> Iterator[CaseView]:
    """Proposed views of features that nobody has yet; the first come quickly."""
    for honest in honest_views([k.view for k in known]):
        style = Style(frozenset(), honest.finish)
        try:
            sql = render(honest.view, style, honest.names)
        except Inapplicable:
            continue
        cases = [
            Case(
                name=honest.names.get(plain, plain), family=honest.families[plain],
                description=described(honest.view, item, n % 2),
                unit=item.measure.unit,
                dtype="Float64" if honest.finish.get(plain) else dtype_of(item),
            )
            for n, item in enumerate(honest.view.items)
            if (plain := item_name(honest.view, item))
        ]  # fmt: skip
        yield CaseView("honest", honest.view, sql, tuple(cases))
