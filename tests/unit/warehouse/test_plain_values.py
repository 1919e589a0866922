import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.core.value_diff import SampledColumn
from warehouse.plain_values import measured, plain, unplain

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
COLUMNS = st.one_of(
    st.tuples(st.just("float64"), st.lists(st.none() | st.floats(allow_nan=False))),
    st.tuples(st.just("int64"), st.lists(st.none() | st.integers(-(2**63) + 1, 2**63 - 1))),
    st.tuples(st.just("string"), st.lists(st.none() | st.text(max_size=50))),
    st.tuples(st.just("bool"), st.lists(st.none() | st.booleans())),
    st.tuples(st.just("timestamp"), st.lists(st.none() | INSTANTS)),
)


@given(COLUMNS)
def test_values_come_back_from_json_as_they_were(column: tuple[str, list[Any]]) -> None:
    dtype, values = column
    carried = json.loads(json.dumps(plain(values), allow_nan=False))
    assert unplain(SampledColumn("x", dtype, tuple(carried))) == values


def test_what_claims_to_be_a_number_is_compared_as_it_is() -> None:
    assert measured(("nan?", "inf", 2, None), "float64") == ["nan?", float("inf"), 2.0, None]
    assert plain([1 << 80]) == (str(1 << 80),)
