"""Queries that aggregate by key and calendar bucket, or take rows as they are."""

from collections.abc import Sequence

from bench.duplicates.reading import Reading
from bench.duplicates.spelled import combined, pieces, whole
from bench.duplicates.style import Inapplicable


def grouped(reading: Reading) -> str:
    """One SELECT, or what a style makes of it."""
    style, rows = reading.style, reading.view.horizon == "row"
    if style.has("correlated_subquery"):
        return _correlated(reading)
    if style.has("two_levels"):
        return _two_levels(reading)
    if rows and style.has("window_for_group", "having_for_where", "lateral_alias"):
        raise Inapplicable
    start = _start(reading)
    tail = _after_aggregates(reading, start)
    values = [
        reading.finished(item, reading.columns(whole(item.measure, style, tail)))
        for item in reading.view.items
    ]
    heads = [*reading.named_keys(), f"{reading.known(start)} AS known_at"]
    selected = [*values, *heads] if style.has("commute") else [*heads, *values]
    if style.has("window_for_group"):
        return f"SELECT DISTINCT {', '.join(selected)} FROM {reading.source()}{reading.where()}"
    if style.has("having_for_where"):
        return _having(reading, selected, start)
    text = f"SELECT {', '.join(selected)} FROM {reading.source()}{reading.where()}"
    return text if rows else text + group_by(reading, [*reading.keys(), start])


def group_by(reading: Reading, terms: Sequence[str]) -> str:
    """The clause, by terms or positions."""
    if reading.style.has("group_by_all"):
        return " GROUP BY ALL"
    if reading.style.has("group_by_position"):
        return f" GROUP BY {', '.join(str(n + 1) for n in range(len(terms)))}"
    listed = terms[::-1] if reading.style.has("commute") else terms
    return f" GROUP BY {', '.join(listed)}"


def _start(reading: Reading) -> str:
    if reading.view.horizon == "row":
        return reading.columns(f"[{reading.view.stream.time}]")
    return reading.bucket(reading.view.horizon)


def _after_aggregates(reading: Reading, start: str) -> str:
    if reading.style.has("window_for_group"):
        return f" OVER (PARTITION BY {', '.join([*reading.keys(), start])})"
    if reading.style.has("having_for_where"):
        return f" FILTER (WHERE {_wanted(reading)})"
    return ""


def _wanted(reading: Reading) -> str:
    found = reading.conditions()
    if not found:
        raise Inapplicable
    return " AND ".join(found)


def _having(reading: Reading, selected: Sequence[str], start: str) -> str:
    """Conditions on each aggregate, and groups only where a row fulfils them."""
    return (
        f"SELECT {', '.join(selected)} FROM {reading.source()}"
        + group_by(reading, [*reading.keys(), start])
        + f" HAVING COUNT(*) FILTER (WHERE {_wanted(reading)}) > 0"
    )


def _correlated(reading: Reading) -> str:
    """Each key and bucket once, and a sub-query for each value."""
    view, style = reading.view, reading.style
    if view.horizon == "row" or view.join is not None:
        raise Inapplicable
    start = _start(reading)
    same = [
        *(
            f"{column} = each_one.{key}"
            for column, key in zip(reading.keys(), view.entity, strict=True)
        ),
        f"{start} = each_one.started",
        *reading.conditions(),
    ]
    values = [
        reading.finished(
            item,
            f"(SELECT {reading.columns(whole(item.measure, style))} FROM {reading.source()} "
            f"WHERE {' AND '.join(same)})",
        )
        for item in view.items
    ]
    heads = [f"each_one.{key}" for key in view.entity]
    heads.append(f"{reading.known('each_one.started')} AS known_at")
    inner = f"SELECT DISTINCT {', '.join([*reading.named_keys(), f'{start} AS started'])}"
    inner += f" FROM {reading.source()}{reading.where()}"
    return f"SELECT {', '.join([*heads, *values])} FROM ({inner}) AS each_one"


def _two_levels(reading: Reading) -> str:
    """Sums of each hour first, then of the bucket's hours."""
    view, style = reading.view, reading.style
    if view.horizon == "row":
        raise Inapplicable
    names = {
        text: f"part{n}"
        for n, text in enumerate(
            dict.fromkeys(p for item in view.items for p in pieces(item.measure, style))
        )
    }

    def total(function: str, piece: str) -> str:
        return f"{function}({names[piece]})"

    hour = f"date_trunc('hour', {reading.columns(f'[{view.stream.time}]')})"
    inner = [*reading.named_keys(), f"{hour} AS hour_start"]
    inner += [f"{reading.columns(piece)} AS {name}" for piece, name in names.items()]
    hours = f"SELECT {', '.join(inner)} FROM {reading.source()}{reading.where()}"
    hours += group_by(reading, [*reading.keys(), hour])
    start = f"date_trunc('{view.horizon}', hour_start)"
    values = [reading.finished(i, combined(i.measure, style, total)) for i in view.items]
    outer = [*view.entity, f"{reading.known(start)} AS known_at", *values]
    return (
        f"WITH hours AS ({hours}) SELECT {', '.join(outer)} FROM hours"
        f" GROUP BY {', '.join([*view.entity, start])}"
    )
