import pytest

from featureserver.testing import lookup_over
from featureserver.typed_text import read_entities
from registry.kernel.errors import Invalid, Misuse
from registry.testing import feature, published, view

KEYS = {"id": "int64", "day": "timestamp", "open": "bool", "code": "string"}
PLAN = lookup_over(published(view("v", [feature("f")], KEYS))).plan(["v:f"])


def test_words_become_typed_columns_and_repeating_a_key_adds_rows():
    words = ["id=1", "id=-2", "open=TRUE", "open=false", "code=1", "code="]
    assert read_entities(PLAN, words) == {
        "id": [1, -2],
        "open": [True, False],
        "code": ["1", None],
    }


def test_a_word_without_a_value_is_misuse_and_one_of_another_type_invalid():
    with pytest.raises(Misuse, match="key=value"):
        read_entities(PLAN, ["id"])
    with pytest.raises(Invalid, match="int64"):
        read_entities(PLAN, ["id=one"])
