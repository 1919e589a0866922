"""A look-alike as people read it: the other feature, the evidence, examples, what to do. Pure."""

from collections.abc import Iterator

from registry.core.similarity.likeness import MEANINGS, Likeness
from registry.kernel.clock import format_instant
from registry.kernel.output import table_text
from registry.reports.markup import code, plain

_LONGEST = 300
ODD = "does not fit"


def likeness_lines(likeness: Likeness) -> Iterator[str]:
    """For a terminal, below the finding's first line."""
    yield f"  evidence   {cut(likeness.evidence, 2 * _LONGEST)}"
    yield f"  the other  {cut(_other(likeness))}"
    if likeness.examples:
        table = table_text(_headers(likeness), _rows(likeness))
        yield from (f"  {line}" for line in table.splitlines())
    if likeness.answer is not None:
        yield f"  answered   {cut(str(likeness.answer))}"
    if likeness.asks:
        yield f"  → {likeness.command}"
        yield "    " + "; ".join(f"--{kind}: {means}" for kind, means in MEANINGS.items())


def likeness_markdown(likeness: Likeness) -> Iterator[str]:
    """For a pull request's comment, inside a fold."""
    yield f"{plain(cut(likeness.evidence, 3 * _LONGEST))}"
    yield ""
    yield f"The other: {plain(cut(_other(likeness)))}"
    if likeness.examples:
        yield ""
        headers = _headers(likeness)
        yield f"| {' | '.join(map(plain, headers))} |"
        yield f"| --- | --- |{' ---: |' * (len(headers) - 2)}"
        for row in _rows(likeness):
            yield f"| {' | '.join(map(plain, row))} |"
    if likeness.answer is not None:
        yield ""
        yield f"Answered: {plain(cut(str(likeness.answer)))}"
    if likeness.asks:
        yield ""
        yield f"Answer with a line in a review, or run {code(likeness.command)}:"
        yield ""
        yield f"    {answer_line(likeness)}"
        yield ""
        said = "; ".join(f"{code(kind)}: {means}" for kind, means in MEANINGS.items())
        yield f"The answers: {said}."


def answer_line(likeness: Likeness) -> str:
    """What a reviewer writes in a review to answer."""
    names = f"{likeness.feature} {likeness.other}"
    return cut(f"/fieldhouse answer {names} distinct because …", 2 * _LONGEST)


def cut(text: str, most: int = _LONGEST) -> str:
    """A text in one line, no longer than that, without what a terminal would obey."""
    shown = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text[: 2 * most])
    folded = " ".join(shown.split())
    return folded if len(folded) <= most and len(text) <= 2 * most else f"{folded[: most - 1]}…"


def _other(likeness: Likeness) -> str:
    said = f"“{likeness.description}”" if likeness.description else "not described"
    unit = f", in {likeness.unit}" if likeness.unit not in ("", "1") else ""
    readers = ", ".join(likeness.readers[:3]) or "nobody"
    more = len(likeness.readers) - 3
    also = f" and {more} more" if more > 0 else ""
    return f"{likeness.other}: {cut(said, 160)}{unit}; read by {readers}{also}"


def _headers(likeness: Likeness) -> list[str]:
    names = (likeness.feature.partition("/")[2], likeness.other.partition("/")[2])
    odd = [""] if any(not example.agrees for example in likeness.examples) else []
    return ["key", "at", *(cut(name, 60) for name in names), *odd]


def _rows(likeness: Likeness) -> list[list[str]]:
    odd = any(not example.agrees for example in likeness.examples)
    return [
        [
            cut(example.key, 60),
            format_instant(example.at),
            cut(example.feature, 60),
            cut(example.other, 60),
            *([ODD if not example.agrees else ""] if odd else []),
        ]
        for example in likeness.examples
    ]
