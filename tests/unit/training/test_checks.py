import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouses import hour, hours
from training.checks import (
    Limits,
    check_constants,
    check_coverage,
    check_future,
    check_label_known,
    check_leakage,
    count_early,
    count_future,
)
from training.coverage import Coverage
from training.leakage import predictive_power, ranks
from warehouse.profiles import profile_table

few = st.lists(st.integers(0, 5).map(float), min_size=20, max_size=40)


def rules(found) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    return [(finding.rule, finding.subject) for finding in found]


def test_a_view_that_answers_few_rows_is_said_with_its_numbers() -> None:
    (finding,) = check_coverage([Coverage("a", 100, 20, 0), Coverage("b", 100, 90, 0)], Limits())
    assert "a answers 20 of 100 rows (20.0%)" in finding.message


def test_a_ttl_that_empties_many_rows_is_said() -> None:
    assert rules(check_coverage([Coverage("a", 100, 60, 40)], Limits())) == [
        ("expired-values", "a")
    ]


def test_columns_that_say_nothing_are_named() -> None:
    table = pa.table(
        {"n": pa.nulls(3, pa.int64()), "c": [1, 1, 1], "v": [1, 2, 1], "h": [1, 1, None]}
    )
    assert rules(check_constants(profile_table(table))) == [("all-null", "n"), ("constant", "c")]


def test_a_feature_that_is_the_label_in_disguise_is_found() -> None:
    draws = np.random.default_rng(1)
    label = draws.integers(0, 2, 500)
    table = pa.table(
        {
            "y": label.astype(bool),
            "leak": 100.0 - 50 * label + draws.random(500),
            "honest": label + draws.normal(0, 2, 500),
            "text": ["x"] * 500,
        }
    )
    found = check_leakage(table, "y", ["leak", "honest", "text"], Limits())
    assert rules(found) == [("leakage", "leak")]


def test_texts_and_gaps_that_are_the_label_in_disguise_are_found() -> None:
    draws = np.random.default_rng(1)
    late = draws.integers(0, 2, 400).astype(bool)
    table = pa.table(
        {
            "y": np.where(late, "late", "in time"),
            "code": pa.array(np.where(late, "D", "A")).dictionary_encode(),
            "reason": [1.5 if one else None for one in late],
            "carrier": draws.choice(["UA", "AA", "DL"], 400),
            "flight": [str(n) for n in range(400)],
        }
    )
    found = list(check_leakage(table, "y", table.column_names[1:], Limits()))
    assert rules(found) == [("leakage", "code"), ("leakage", "reason")]
    assert found[1].message.startswith("the lack of reason alone predicts y")


def test_a_feature_that_orders_a_numeric_label_is_found() -> None:
    y = np.arange(100.0)
    table = pa.table({"y": y, "leak": np.exp(y / 10), "other": y % 7})
    assert rules(check_leakage(table, "y", ["leak", "other"], Limits())) == [("leakage", "leak")]


@settings(deadline=None, max_examples=40)
@given(few, st.lists(st.booleans(), min_size=40, max_size=40))
def test_power_is_the_share_of_pairs_in_order(values: list[float], labels: list[bool]) -> None:
    x, y = np.array(values), np.array(labels[: len(values)], dtype=float)
    ones, zeros = x[y == 1], x[y == 0]
    found = predictive_power(x, y)
    if not len(ones) or not len(zeros) or len(set(values)) == 1:
        assert found is None
        return
    pairs = [(a > b) + (a == b) / 2 for a in ones for b in zeros]
    auc = sum(pairs) / len(pairs)
    assert found == pytest.approx(max(auc, 1 - auc))


@settings(deadline=None, max_examples=40)
@given(few)
def test_equal_values_share_their_mean_rank(values: list[float]) -> None:
    slow = [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]
    assert ranks(np.array(values)).tolist() == slow


def test_rows_after_now_are_counted() -> None:
    times = pa.chunked_array([hours(1, 2, 3, None)])
    (finding,) = check_future(count_future(times, hour(2), "UTC"), len(times))
    assert finding.message.startswith("1 of 4 spine rows")


def test_keys_that_nobody_answers_are_said_where_rows_are_answered() -> None:
    (finding,) = check_coverage([Coverage("a", 100, 90, 0, 40, 10)], Limits())
    assert finding.message == "a answers 10 of 40 different keys (25.0%)"


def test_a_label_that_is_known_before_its_row_is_said() -> None:
    times = pa.chunked_array([hours(1, 2, 3)])
    known = pa.chunked_array([hours(2, 1, None)]).cast(pa.int64())
    (finding,) = check_label_known(count_early(known, times, "UTC"), len(times), "y")
    assert finding.message.startswith("y of 1 of 3 rows is known before")
