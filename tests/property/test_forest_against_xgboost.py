"""One row through `serving.forest` gives what XGBoost gives, whatever the trees and the row."""

from functools import cache

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.forest import forest_of

WIDTH = 5
NUMBERS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, 0.5, 1.0]), st.floats(-2, 2)
)


@cache
def trained(objective, depth, gaps, **others):
    chooser = np.random.default_rng(depth)
    rows = np.round(chooser.normal(size=(400, WIDTH)), 1)
    if gaps:
        rows[chooser.random(rows.shape) < 0.3] = np.nan
    labels = np.nan_to_num(rows).sum(axis=1) + np.isnan(rows[:, 0]) > 0
    given = {"objective": objective, "max_depth": depth, "nthread": 1, **others}
    return xgboost.train(given, xgboost.DMatrix(rows, labels.astype(int)), 12)


@cache
def forest(booster):
    return forest_of(bytes(booster.save_raw("json")), WIDTH)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["binary:logistic", "reg:squarederror"]),
    st.sampled_from([1, 5]),
    st.booleans(),
    st.lists(NUMBERS, min_size=WIDTH, max_size=WIDTH),
)
def test_a_row_gets_the_answer_of_the_library(objective, depth, gaps, row):
    booster = trained(objective, depth, gaps)
    (wanted,) = booster.inplace_predict(np.array([row]))
    assert forest(booster)(np.array(row)) == pytest.approx(wanted, rel=2e-7, abs=1e-12)


def test_a_row_that_stands_on_a_limit_goes_where_the_library_sends_it():
    booster = trained("reg:squarederror", 6, True)
    limits = np.unique(booster.trees_to_dataframe()["Split"].dropna().astype(np.float32))
    rows = np.float64([[limit] * WIDTH for limit in limits])
    walk = forest(booster)
    assert np.concatenate([walk(row) for row in rows]).tolist() == list(
        booster.inplace_predict(rows)
    )


def test_too_many_trees_and_those_of_another_kind_are_left_to_the_library():
    assert forest(trained("binary:logistic", 6, False, num_parallel_tree=60)) is None
    assert forest(trained("multi:softprob", 3, False, num_class=2)) is None
    assert forest(trained("binary:logistic", 3, False, booster="dart")) is None
    assert forest_of(b"{}", WIDTH) is None
