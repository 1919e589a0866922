"""A plan in sentences, one a change or one for many alike. Pure; what it quotes is escaped."""

from collections import defaultdict
from collections.abc import Iterator

from registry.core.changes import Change, Difference, Plan
from registry.reports.markup import code, plain

_LONGEST = 60
_AROUND = 2


def sentences(plan: Plan) -> list[str]:
    """What needs thought first: meanings, removals, states; then what is new; then texts."""
    groups: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in plan.changes:
        groups[change.object, f"{change.action} {change.aspect}"].append(change)
    found: list[str] = []
    for (kind, how), changes in sorted(groups.items(), key=lambda item: _order(*item[0])):
        say = _SAID.get((kind, how))
        found += say(changes) if say is not None else _other(changes)
    return found


def _order(kind: str, how: str) -> tuple[int, str, str]:
    keys = list(_SAID)
    return (keys.index((kind, how)) if (kind, how) in keys else len(keys), kind, how)


def _meanings(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        kept = "; who reads the version before keeps it" if change.readers else ""
        said = "; ".join(map(_difference, change.differences))
        begins = f"{code(change.name)} means something else from version {change.version}"
        yield f"{begins}: {said}{kept}."


def _difference(difference: Difference) -> str:
    before, after = difference.before, difference.after
    if before is not None and after is not None:
        before, after = differing_parts(before, after)
    shown = (code(text) if text is not None else "none" for text in (before, after))
    return f"{plain(difference.facet)} {' → '.join(shown)}"


def differing_parts(before: str, after: str) -> tuple[str, str]:
    """Both texts from where they begin to differ to where they end to, with a few words around."""
    one, other = before.split(), after.split()
    if len(before) <= _LONGEST and len(after) <= _LONGEST:
        return " ".join(one), " ".join(other)
    start = _common(one, other)
    end = min(_common(one[::-1], other[::-1]), len(one) - start, len(other) - start)
    return _part(one, start, end), _part(other, start, end)


def _common(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _part(words: list[str], start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(words), len(words) - end + _AROUND)
    middle = " ".join(words[first:last])
    middle = middle if len(middle) <= 2 * _LONGEST else f"{middle[: 2 * _LONGEST]}…"
    return f"{'… ' if first else ''}{middle}{' …' if last < len(words) else ''}"


def _removals(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        yield f"{code(change.name)} is retired: training and lookups refuse it from then on."


def _states(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        (moved,) = change.differences[:1]
        yield f"{code(change.name)} goes from {moved.before} to {moved.after}."


def _moves(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        came = next((d.before for d in change.differences if d.facet == "moved from"), None)
        yield f"{code(came or 'a feature')} moves to {code(change.name)}."


def _new(changes: list[Change]) -> Iterator[str]:
    by_view: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        view, _, name = change.name.partition(":")
        by_view[view].append(name)
    for view, names in by_view.items():
        shown = ", ".join(map(code, names[:4]))
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        count = "a new feature" if len(names) == 1 else f"{len(names)} new features"
        yield f"{code(view)} gets {count}: {shown}{more}."


def _services(changes: list[Change]) -> Iterator[str]:
    words = {"add": "is new", "change": "reads other features or is described anew"}
    for change in changes:
        yield f"Service {code(change.name)} {words.get(change.action, 'is removed')}."


def _texts(changes: list[Change]) -> Iterator[str]:
    facets = dict.fromkeys(d.facet for change in changes for d in change.differences)
    names = list(dict.fromkeys(change.name for change in changes))
    shown = ", ".join(map(code, names[:3]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    yield f"{', '.join(map(plain, facets)) or 'Texts'} of {shown}{more} said anew."


def _other(changes: list[Change]) -> Iterator[str]:
    first = changes[0]
    words = {"add": "new", "change": "set anew", "remove": "removed"}
    names = ", ".join(code(change.name) for change in changes[:4])
    more = f" and {len(changes) - 4} more" if len(changes) > 4 else ""
    facets = dict.fromkeys(d.facet for change in changes for d in change.differences)
    said = f"{', '.join(map(plain, facets))} " if first.action == "change" else ""
    ends = words.get(first.action, first.action)
    yield f"{first.object.capitalize()} {names}{more}: {said}{ends}."


_SAID = {
    ("feature", "change meaning"): _meanings,
    ("feature", "remove state"): _removals,
    ("feature", "move meaning"): _moves,
    ("feature", "change state"): _states,
    ("feature", "add meaning"): _new,
    ("service", "remove members"): _services,
    ("service", "change members"): _services,
    ("service", "add members"): _services,
    ("feature", "change text"): _texts,
}
