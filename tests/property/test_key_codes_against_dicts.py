"""Codes of a history's keys against a plain dictionary of the spine's."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.engines.key_codes import HashedNumbers, key_codes
from warehouse.engines.spine_keys import encode_keys

WHOLE = st.sampled_from([-(2**63), -1, 0, 1, 2, 1 << 40, 2**63 - 1]) | st.integers(0, 40)
TEXT = st.sampled_from(["", "a", "b", "ä", "aa"])
KINDS = {"whole": (WHOLE, pa.int64()), "text": (TEXT, pa.string())}
quick = settings(max_examples=150, deadline=None)


@st.composite
def keys(draw: st.DrawFn) -> tuple[list[str], list[Any], list[Any]]:
    """The kinds of a key's parts, a spine's keys and a history's, with nulls."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    key = st.tuples(*(st.none() | KINDS[kind][0] for kind in kinds))
    whole = st.tuples(*(KINDS[kind][0] for kind in kinds))
    spine = [*draw(st.lists(key, max_size=9)), draw(whole)]
    return kinds, spine, draw(st.lists(key | st.sampled_from(spine), min_size=1, max_size=12))


def columns(kinds: list[str], rows: list[Any], encoded: bool = False) -> list[pa.ChunkedArray]:
    made = []
    for kind, cells in zip(kinds, zip(*rows, strict=True), strict=True):
        array = pa.array(cells, KINDS[kind][1])
        if encoded and kind == "text":
            array = array.dictionary_encode()
        made.append(pa.chunked_array([array[:3], array[3:]]))
    return made


@quick
@given(drawn=keys(), spread=st.sampled_from([0, 50]), encoded=st.booleans())
def test_history_keys_have_the_codes_of_the_spines(drawn: Any, spread: int, encoded: bool) -> None:
    kinds, spine, history = drawn
    every = pa.chunked_array([pa.array([True] * len(spine))])
    asked = encode_keys(columns(kinds, spine), every, spread)
    right = {
        spine[position]: code
        for position, code in zip(asked.positions.tolist(), asked.codes.tolist(), strict=True)
    }
    assert len(set(right.values())) == len(right)
    found = key_codes(asked)(columns(kinds, history, encoded)).tolist()
    for key, code in zip(history, found, strict=True):
        if None not in key:
            between = asked.table is None and code not in right.values()
            assert code == right.get(key, code if between else -1)


@quick
@given(known=st.sets(WHOLE, max_size=30), asked=st.lists(WHOLE, max_size=30))
def test_hashed_numbers_are_found_by_their_place(known: set[int], asked: list[int]) -> None:
    numbers = sorted(known)
    found = HashedNumbers(np.array(numbers, np.int64)).look_up(np.array(asked, np.int64))
    assert found.tolist() == [numbers.index(one) if one in known else -1 for one in asked]
