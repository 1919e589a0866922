import pyarrow as pa
import pytest

from registry.kernel.errors import Invalid
from warehouse.content import content_hash


def hashed(**columns: pa.Array) -> str:
    return content_hash(pa.table(columns).to_reader())


def test_the_hash_of_a_known_table_never_changes() -> None:
    found = hashed(a=pa.array([1, None], pa.int64()), b=pa.array(["x", None]))
    assert found == "sha256:d84fbe11c9c91ce72139f187e1dc1e23f5b38b12574c31cfbb892f04e1fedb74"


def test_a_null_is_not_a_zero_nor_an_empty_text() -> None:
    assert hashed(a=pa.array([None], pa.int64())) != hashed(a=pa.array([0], pa.int64()))
    assert hashed(a=pa.array([None], pa.string())) != hashed(a=pa.array([""], pa.string()))


def test_what_hides_under_a_null_does_not_count() -> None:
    under = pa.Array.from_buffers(pa.int64(), 1, [pa.py_buffer(b"\0"), pa.py_buffer(b"\7" * 8)])
    assert hashed(a=under) == hashed(a=pa.array([None], pa.int64()))


def test_where_one_text_ends_counts() -> None:
    assert hashed(a=pa.array(["ab", "c"])) != hashed(a=pa.array(["a", "bc"]))


def test_names_types_and_order_count() -> None:
    one, two = pa.array([1], pa.int64()), pa.array([2], pa.int64())
    assert hashed(a=one, b=two) != hashed(b=two, a=one)
    assert hashed(a=one) != hashed(b=one)
    assert hashed(a=one) != hashed(a=one.cast(pa.int32()))


def test_spellings_of_utc_are_one() -> None:
    found = {hashed(t=pa.array([1], pa.timestamp("us", tz=zone))) for zone in ("UTC", "Etc/UTC")}
    assert len(found) == 1


def test_a_type_without_canonical_bytes_is_refused() -> None:
    with pytest.raises(Invalid, match="content hash"):
        hashed(m=pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([1])))


def test_maps_and_extensions_are_hashed_whatever_their_chunks() -> None:
    maps = pa.array(
        [[("a", 1)], None, [], [("b", None), ("c", 2)]], pa.map_(pa.string(), pa.int64())
    )
    uuids = pa.array([bytes([n] * 16) for n in range(4)], pa.uuid())
    whole = pa.table({"m": maps, "u": uuids})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert content_hash(parts.to_reader()) == content_hash(whole.to_reader())
    assert hashed(m=maps) != hashed(m=maps.take(pa.array([3, 1, 2, 0])))
    assert hashed(u=uuids) != hashed(u=uuids.storage)
