"""Digests of code against running it: equal digests give equal answers, renaming gives no other."""

import ast
from string import Template

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.code_digest import code_digest

SHAPE = Template("""
FACTOR = $number
def $helper($p, scale=$scale):
    '''$words'''
    return $p * scale $op FACTOR
def $entry($q):
    $rows = [$helper($x, scale=$scale) for $x in $q["a"]]
    $total = 0
    for $i in range($limit):
        $total = $total + $i
    return {"a": [$y $op $total for $y in $rows]}
""")
SLOTS = ("helper", "p", "entry", "q", "rows", "x", "total", "i", "y")
NAMES = st.lists(
    st.from_regex(r"[a-z]{3,6}_[0-9]", fullmatch=True),
    min_size=len(SLOTS),
    max_size=len(SLOTS),
    unique=True,
)
MEANING = st.fixed_dictionaries(
    {
        "number": st.integers(0, 3),
        "scale": st.integers(1, 3),
        "limit": st.integers(0, 3),
        "op": st.sampled_from(["+", "-", "*"]),
    }
)
EXAMPLES = settings(max_examples=60, deadline=None)


def code(names: list[str], meaning: dict[str, object], words: str = "") -> tuple[str, str]:
    """The text and the name of its function."""
    called = dict(zip(SLOTS, names, strict=True))
    return SHAPE.substitute(called, words=words, **meaning), called["entry"]


def answer(text: str, entry: str) -> object:
    scope: dict[str, object] = {}
    exec(text, scope)
    return scope[entry]({"a": [1, 2, -3]})  # type: ignore[operator]


@EXAMPLES
@given(NAMES, NAMES, MEANING, st.text("abc \n", max_size=9))
def test_names_layout_and_words_do_not_count(
    names: list[str], others: list[str], meaning: dict[str, object], words: str
) -> None:
    text, entry = code(names, meaning)
    renamed, other_entry = code(others, meaning, words)
    assert code_digest(text, entry) == code_digest(renamed, other_entry)
    assert code_digest(ast.unparse(ast.parse(text)), entry) == code_digest(text, entry)


@EXAMPLES
@given(NAMES, MEANING, MEANING)
def test_two_answers_never_share_a_digest(
    names: list[str], one: dict[str, object], other: dict[str, object]
) -> None:
    first, second = code(names, one), code(names, other)
    assert (code_digest(*first) == code_digest(*second)) == (one == other)
    if answer(*first) != answer(*second):
        assert code_digest(*first) != code_digest(*second)


@EXAMPLES
@given(NAMES, MEANING, st.data())
def test_confusing_two_names_counts_wherever_the_answer_changes(
    names: list[str], meaning: dict[str, object], data: st.DataObject
) -> None:
    text, entry = code(names, meaning)
    old, new = data.draw(st.lists(st.sampled_from(names[3:]), min_size=2, max_size=2, unique=True))
    place = data.draw(st.integers(0, text.count(old) - 1))
    parts = text.split(old)
    confused = old.join(parts[: place + 1]) + new + old.join(parts[place + 1 :])
    try:
        changed = answer(confused, entry) != answer(text, entry)
    except Exception:
        changed = True
    if changed:
        assert code_digest(confused, entry) != code_digest(text, entry)
