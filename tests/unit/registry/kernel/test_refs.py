"""References as text: both spellings of a version, and names as Feast lets them be."""

import pytest

from registry.kernel.errors import Invalid
from registry.kernel.refs import FeatureRef, parse_ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("delays:mean", FeatureRef("delays", "mean")),
        ("delays:mean delay@2", FeatureRef("delays", "mean delay", 2)),
        ("delays@v3:Group By.x", FeatureRef("delays", "Group By.x", 3)),
        ('weather/stats:the "wind"', FeatureRef("stats", 'the "wind"', namespace="weather")),
    ],
)
def test_a_reference_is_read(text: str, ref: FeatureRef) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize("text", ["delays", "delays: mean", "delays:mean ", "a:b:c", "d:x\ny"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="view:feature"):
        parse_ref(text)
