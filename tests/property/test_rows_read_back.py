"""Any row reads back as it was written, by every reader; broken rows spoil themselves alone."""

import string
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from featureserver.columns import CREATED_TIME, EVENT_TIME, BatchPacker
from featureserver.decoders import CORRUPT, FOUND, MISSING, Decoder, Wanted
from featureserver.instants import micros_of
from featureserver.keys import key_space
from featureserver.rows import layout_of, pack, unpack
from featureserver.values import to_wire
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt
from registry.kernel.types import SCALARS, arrow_type, element_type
from registry.testing import feature, view

AT = datetime(2013, 10, 1, tzinfo=UTC)
CREATED = st.sampled_from([AT, AT + timedelta(seconds=1)])  # one for each layout
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
OBJECTS = st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=5), max_size=3)
SCALAR_VALUES = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32),
    "float64": st.floats(),
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
    "timestamp": INSTANTS,
    "decimal": st.decimals(-(10**20), 10**20, places=9),
    "uuid": st.uuids().map(str),
    "json": OBJECTS.map(lambda found: to_wire("json")(found)),
    "map": OBJECTS,
    "struct": OBJECTS,
}
DTYPES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.builds("{}<{}>".format, st.sampled_from(["list", "set"]), inner),
    max_leaves=2,
)


def values_of(dtype):
    inner = element_type(dtype)
    if inner is None:
        return SCALAR_VALUES[dtype]
    return st.lists(st.none() | values_of(inner), max_size=4)


@st.composite
def schemas(draw, version=1):
    dtypes = draw(st.lists(DTYPES, min_size=1, max_size=9))
    return RowSchema(version, tuple((f"c{i}", dtype) for i, dtype in enumerate(dtypes)))


@st.composite
def rows_of(draw, schema):
    return {name: draw(st.none() | values_of(dtype)) for name, dtype in schema.columns}


@st.composite
def schema_and_rows(draw, least=1, most=4):
    schema = draw(schemas())
    return schema, draw(st.lists(rows_of(schema), min_size=least, max_size=most))


def wire_of(schema, row):
    return [
        None if row[name] is None else to_wire(dtype)(row[name]) for name, dtype in schema.columns
    ]


def listed(decoded):
    return [list(column) for column in decoded.columns]


def decoder_of(schema, *, names=None):
    wanted = [Wanted(n, d) for n, d in schema.columns if names is None or n in names]
    return Decoder({schema.version: schema}, wanted)


@settings(deadline=None)
@given(schema_and_rows(), INSTANTS, INSTANTS)
def test_any_row_reads_back_by_the_plain_reader(made, event, created):
    schema, rows = made
    for row in rows:
        found = unpack({1: schema}, pack(schema, row, event, created))
        assert (found.event, found.created) == (event, created)
        assert repr(list(found.wire.values())) == repr(wire_of(schema, row))


@settings(deadline=None, max_examples=60)
@given(schema_and_rows(), st.sampled_from([1, 24]), st.booleans(), st.lists(CREATED, min_size=4))
def test_compiled_decoders_agree_with_the_plain_reader(made, times, with_missing, created):
    schema, rows = made
    raw = [pack(schema, row, AT, at) for row, at in zip(rows, created, strict=False)] * times
    if with_missing:
        raw.append(None)
    decoded = decoder_of(schema).decode(raw)
    plain = [None if one is None else unpack({1: schema}, one).wire for one in raw]
    expected = [[None if w is None else w[name] for w in plain] for name, _ in schema.columns]
    assert repr(listed(decoded)) == repr(expected)
    assert decoded.marks == ([FOUND] * (len(raw) - 1) + [MISSING] if with_missing else None)


@settings(deadline=None)
@given(schema_and_rows(most=2), st.data())
def test_features_may_be_asked_for_in_any_choice_and_order(made, data):
    schema, rows = made
    picked = data.draw(st.lists(st.sampled_from(schema.columns), max_size=5))
    decoder = Decoder({1: schema}, [Wanted(name, dtype) for name, dtype in picked])
    raw = [pack(schema, row, AT) for row in rows]
    for some in (raw, raw * 24):
        expected = [[unpack({1: schema}, one).wire[name] for one in some] for name, _ in picked]
        assert repr(listed(decoder.decode(some))) == repr(expected)


@settings(deadline=None)
@given(schema_and_rows(most=1), st.data())
def test_a_row_cut_short_anywhere_is_corrupt_for_every_reader(made, data):
    schema, (row,) = made
    whole = pack(schema, row, AT, data.draw(CREATED))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        unpack({1: schema}, cut)
    except Corrupt:
        pass
    else:
        raise AssertionError("a truncated row was read")
    for raw in ([whole, cut, whole], [whole] * 24 + [cut]):
        marks = decoder_of(schema).decode(raw).marks
        assert marks == [CORRUPT if one is cut else FOUND for one in raw]


@settings(deadline=None, max_examples=200)
@given(schema_and_rows(most=1), st.data())
def test_any_changed_byte_gives_a_value_or_corrupt_for_that_row_alone(made, data):
    schema, (row,) = made
    whole = pack(schema, row, AT, data.draw(CREATED))
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        expected = repr(list(unpack({1: schema}, bytes(changed)).wire.values()))
    except Corrupt:
        expected = None
    for raw in ([whole, bytes(changed)], [whole] * 24 + [bytes(changed)]):
        decoded = decoder_of(schema).decode(raw)
        marks = decoded.marks or [FOUND] * len(raw)
        assert marks[:-1] == [FOUND] * (len(raw) - 1)
        assert (marks[-1] == CORRUPT) == (expected is None)
        if expected is not None:
            assert repr([column[-1] for column in decoded.columns]) == expected


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_never_raise_anything_but_corrupt(raw):
    schema = RowSchema(1, (("a", "float64"), ("b", "list<string>"), ("c", "json")))
    assert decoder_of(schema).decode([raw, b""]).marks[1] == CORRUPT
    with suppress(Corrupt):
        unpack({1: schema}, raw)


@settings(deadline=None)
@given(schema_and_rows(least=2), st.data())
def test_rows_of_older_schemas_read_as_default_or_null_and_removed_columns_are_skipped(made, data):
    old, rows = made
    kept = old.columns[data.draw(st.integers(0, len(old.columns) - 1)) :]
    new = RowSchema(2, (*kept, ("added", "int64"), ("plain", "string")))
    wanted = [
        *(Wanted(n, d) for n, d in kept),
        Wanted("added", "int64", 7),
        Wanted("plain", "string"),
    ]
    decoder = Decoder({1: old, 2: new}, wanted)
    newer = pack(new, {**rows[1], "added": 1, "plain": "x"}, AT)
    raw = [pack(old, rows[0], AT), newer]
    for some in (raw, raw * 24, raw[:1] * 24):
        columns = listed(decoder.decode(some))
        assert columns[-2] == [7 if one is raw[0] else 1 for one in some]
        assert columns[-1] == [None if one is raw[0] else "x" for one in some]
        expected = [unpack({1: old, 2: new}, one).wire for one in some]
        assert repr(columns[:-2]) == repr([[w[n] for w in expected] for n, _ in kept])


def arrow_ready(dtype, value):
    """The value as Arrow's type for the feature type carries it."""
    inner = element_type(dtype)
    if value is None:
        return None
    if inner is not None:
        return [arrow_ready(inner, item) for item in value]
    return to_wire("json")(value) if dtype in ("map", "struct") else value


@settings(deadline=None, max_examples=60)
@given(schema_and_rows(), INSTANTS, st.lists(INSTANTS | st.none(), min_size=4, max_size=4))
def test_packing_by_column_gives_the_bytes_of_packing_by_row(made, event, created):
    schema, rows = made
    made_view = view("v", [feature(n, d) for n, d in schema.columns], {"id": "string"})
    columns = {
        name: pa.array([arrow_ready(dtype, row[name]) for row in rows], arrow_type(dtype))
        for name, dtype in schema.columns
    }
    ids = [f"{string.printable[i]}}}~" for i in range(len(rows))]
    times = pa.array([event] * len(rows), arrow_type("timestamp"))
    later = [event if at is None else at for at in created[: len(rows)]]
    batch = {"id": ids, **columns, EVENT_TIME: times}
    batch[CREATED_TIME] = pa.array(later, arrow_type("timestamp"))
    packed = BatchPacker(made_view).pack(pa.record_batch(batch))
    assert packed.rows == [pack(schema, r, event, at) for r, at in zip(rows, later, strict=True)]
    assert packed.keys == key_space(made_view).keys({"id": ids})


def test_a_decimal_and_a_uuid_come_back_as_the_same_number_and_name():
    schema = RowSchema(1, (("d", "decimal"), ("u", "uuid")))
    name = uuid.uuid4()
    raw = pack(schema, {"d": "1.50", "u": name}, AT)
    found = unpack({1: schema}, raw).values(schema)
    assert found == {"d": Decimal("1.5"), "u": str(name)}
    assert layout_of(schema).fixed == ()
    assert micros_of(datetime(1970, 1, 1, tzinfo=UTC)) == 0


@settings(deadline=None, max_examples=200)
@given(schema_and_rows(), st.binary(max_size=120), st.integers(0, 3), CREATED)
def test_any_bytes_are_a_row_as_the_plain_reader_has_it_or_corrupt_alone(
    made, noise, keep, created
):
    schema, rows = made
    whole = pack(schema, rows[0], AT, created)
    raw = whole[: keep * len(whole) // 3] + noise
    try:
        expected = unpack({1: schema}, raw).wire
    except Corrupt:
        expected = None
    for some in ([raw], [raw, whole], [whole] * 30 + [raw]):
        decoded = decoder_of(schema).decode(some)
        place = some.index(raw)
        mark = FOUND if decoded.marks is None else decoded.marks[place]
        assert (mark == CORRUPT) == (expected is None)
        if expected is not None:
            found = [column[place] for column in decoded.columns]
            assert repr(found) == repr([expected[name] for name, _ in schema.columns])
