"""The content hash sees what a table says and nothing of how it is laid out."""

import io
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.content import content_hash

SCHEMA = pa.schema(
    {
        "n": pa.int64(),
        "x": pa.float64(),
        "s": pa.string(),
        "b": pa.bool_(),
        "t": pa.timestamp("us", tz="UTC"),
        "l": pa.list_(pa.int32()),
        "r": pa.struct({"a": pa.string(), "b": pa.int64()}),
        "d": pa.decimal128(10, 2),
    }
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(),
            "s": st.none() | st.text(max_size=3),
            "b": st.none() | st.booleans(),
            "t": st.none() | st.datetimes(timezones=st.just(__import__("datetime").UTC)),
            "l": st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3),
            "r": st.none()
            | st.fixed_dictionaries({"a": st.none() | st.text(max_size=2), "b": st.just(1)}),
            "d": st.none() | st.decimals(-99, 99, places=2),
        }
    ),
    max_size=12,
)
quick = settings(max_examples=60, deadline=None)


def hashed(table: pa.Table) -> str:
    return content_hash(table.to_reader())


def made(content: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(content, SCHEMA)


@quick
@given(content=rows, cut=st.integers(0, 12))
def test_it_does_not_see_chunks_or_slices(content: Any, cut: int) -> None:
    table = made(content)
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    within = pa.concat_tables([table, table]).slice(0, len(table))
    assert hashed(table) == hashed(chunked) == hashed(within)


@quick
@given(content=rows, group=st.integers(1, 5))
def test_it_does_not_see_the_file_or_its_encoding(content: Any, group: int) -> None:
    table, file = made(content), io.BytesIO()
    pq.write_table(table, file, row_group_size=group, version="2.6")
    file.seek(0)
    assert hashed(pq.read_table(file)) == hashed(table)
    encoded = table.set_column(2, "s", table.column("s").dictionary_encode())
    large = table.set_column(2, "s", table.column("s").cast(pa.large_string()))
    assert hashed(encoded) == hashed(large) == hashed(table)


@quick
@given(left=rows, right=rows)
def test_it_tells_tables_apart(left: Any, right: Any) -> None:
    def plain(content: Any) -> str:  # repr knows -0.0, and all NaNs as one
        return repr([{k: "nan" if _nan(v) else v for k, v in row.items()} for row in content])

    assert (hashed(made(left)) == hashed(made(right))) == (plain(left) == plain(right))


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
