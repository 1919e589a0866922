import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldhouse.guesses import Column, assign_roles, clean_names, module_name
from registry.kernel.errors import Misuse

ROWS = 100


def _column(name: str, dtype: str | None, distinct: int = 10) -> Column:
    return Column(name, name, dtype, distinct, 0)


ORDER_ID = _column("order_id", "int64", distinct=ROWS)
CUSTOMER_ID = _column("customer_id", "string", distinct=20)
ORDERED_AT = _column("ordered_at", "timestamp", distinct=90)
AMOUNT = _column("amount", "float64")


def test_the_key_that_repeats_is_the_entity() -> None:
    roles = assign_roles([ORDER_ID, CUSTOMER_ID, ORDERED_AT, AMOUNT], ROWS, None, None)
    assert (roles.entity, roles.time) == (CUSTOMER_ID, ORDERED_AT)
    assert roles.features == (ORDER_ID, AMOUNT)
    assert roles.guessed == ("entity", "time")


def test_a_key_that_never_repeats_will_do_when_there_is_no_other() -> None:
    assert assign_roles([ORDER_ID, ORDERED_AT], ROWS, None, None).entity == ORDER_ID


def test_what_was_said_wins_over_guesses() -> None:
    columns = [ORDER_ID, CUSTOMER_ID, ORDERED_AT, AMOUNT]
    roles = assign_roles(columns, ROWS, "order_id", "ordered_at")
    assert (roles.entity, roles.guessed) == (ORDER_ID, ())


def test_the_only_column_of_words_is_a_key_whatever_its_name() -> None:
    city = _column("city", "string")
    assert assign_roles([AMOUNT, city, ORDERED_AT], ROWS, None, None).entity == city


def test_an_event_time_is_preferred_to_a_time_of_creation_which_becomes_created() -> None:
    created = _column("created_at", "timestamp")
    roles = assign_roles([CUSTOMER_ID, created, ORDERED_AT], ROWS, None, None)
    assert (roles.time, roles.created) == (ORDERED_AT, created)


def test_columns_of_types_that_no_feature_has_are_left_out() -> None:
    nested = _column("lines", None)
    roles = assign_roles([CUSTOMER_ID, ORDERED_AT, nested, AMOUNT], ROWS, None, None)
    assert (roles.features, roles.left_out) == ((AMOUNT,), (nested,))


@pytest.mark.parametrize(
    ("columns", "entity", "time", "says"),
    [
        ([CUSTOMER_ID, AMOUNT], None, None, "no column holds instants"),
        ([AMOUNT, ORDERED_AT], None, None, "name it with --entity"),
        ([CUSTOMER_ID, ORDERED_AT], "custmer_id", None, "it has: customer_id"),
        ([CUSTOMER_ID, ORDERED_AT, AMOUNT], "amount", None, "cannot be an entity's key"),
        ([CUSTOMER_ID, ORDERED_AT, AMOUNT], None, "amount", "cannot be the event time"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    columns: list[Column], entity: str | None, time: str | None, says: str
) -> None:
    with pytest.raises(Misuse, match=re.escape(says)):
        assign_roles(columns, ROWS, entity, time)


def test_names_become_snake_case() -> None:
    assert clean_names(["Customer ID", "orderDate", "2nd", "a/b:c"]) == [
        "customer_id",
        "order_date",
        "c_2nd",
        "a_b_c",
    ]


@pytest.mark.parametrize("taken", ["json", "class", "training", "sources"])
def test_a_folder_never_hides_a_module(taken: str) -> None:
    assert module_name(taken) == f"{taken}_data"


@given(st.lists(st.text(max_size=12), max_size=12))
def test_clean_names_are_distinct_identifiers(originals: list[str]) -> None:
    made = clean_names(originals)
    assert len(set(made)) == len(originals)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in made)
