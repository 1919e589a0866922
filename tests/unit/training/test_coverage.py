import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.coverage import Answer, measure

keys = st.tuples(st.none() | st.integers(0, 2), st.none() | st.sampled_from("ab"))


@settings(deadline=None)
@given(st.lists(st.tuples(keys, st.booleans()), max_size=12))
def test_keys_are_counted_as_a_set_would_count_them(
    rows: list[tuple[tuple[int, str], bool]],
) -> None:
    spine = pa.table(
        {
            "a": pa.array([key[0] for key, _ in rows], pa.int64()),
            "b": pa.array([key[1] for key, _ in rows], pa.string()),
        }
    )
    found = pa.chunked_array([pa.array([found for _, found in rows], pa.bool_())])
    expired = pa.chunked_array([pa.array([False] * len(rows), pa.bool_())])
    counted = measure(Answer("v", ("a", "b"), found, expired), spine)
    whole = [(key, found) for key, found in rows if None not in key]
    assert counted.keys == len({key for key, _ in whole})
    assert counted.keys_found == len({key for key, found in whole if found})
    assert counted.found == sum(found for _, found in rows)
