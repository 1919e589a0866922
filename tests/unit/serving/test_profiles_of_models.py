"""Reference profiles: bins, levels, keys, and files of bundles made before."""

import numpy as np
import pytest

from registry.kernel.errors import Corrupt
from serving.profile import (
    Profile,
    count_again,
    decode_profile,
    encode_profile,
    profile_columns,
    profile_key,
    profile_keys,
)


def one(column):
    return profile_columns(np.array(column, float)[:, None], ["c"])[0]


def test_bins_hold_equal_counts_and_missing_is_apart():
    found = one([*np.random.default_rng(1).normal(size=1000), np.nan, np.nan])
    assert found.missing == 2 and found.counts == (100,) * 10 and found.levels == ()


def test_few_whole_numbers_are_a_category_and_new_ones_unseen():
    found = one([1, 1, 2, 4] * 30)
    assert found.levels == (1.0, 2.0, 4.0) and found.counts == (60, 30, 30, 0)
    again = count_again(found, np.array([1.0, 3.0, 9.0, np.nan]))
    assert (again.unseen, again.missing, again.counts) == (2, 1, (1, 0, 1, 1))


def test_numbers_that_are_not_whole_are_no_category():
    assert one([0.5, 1.5] * 20).levels == ()


def test_keys_are_counted_by_name_and_the_rare_ones_together():
    found = profile_key("k", ["a", "a", "b", None])
    assert (found.levels, found.counts, found.missing, found.others) == (("a", "b"), (2, 1), 1, 0)
    many = profile_key("k", [str(i) for i in range(3000)])
    assert len(many.levels) == 2000 and many.others == 1000


def test_profiles_read_back():
    rows = np.random.default_rng(2).normal(size=(50, 2))
    columns = profile_columns(rows, ["a", "b"])
    profile = Profile(columns, profile_keys({"k": ["x", "y"]}), columns[:1])
    assert decode_profile(encode_profile(profile)) == profile


def test_profiles_of_older_bundles_hold_columns_only():
    old = b'[{"name":"a","rows":2,"missing":0,"edges":[1.0],"counts":[1,1]}]'
    assert decode_profile(old).columns[0].counts == (1, 1) and decode_profile(old).keys == ()


@pytest.mark.parametrize("data", [b"", b"{", b'{"columns": 1}', b"[1]"])
def test_other_bytes_are_corrupt(data):
    with pytest.raises(Corrupt):
        decode_profile(data)
