"""What people ask is found among the first five answers, on the example's own features."""

from pathlib import Path

import pytest

from registry.adapters.feast_loader import load_repository
from registry.core.compile import compile_repository
from registry.kernel.clock import FixedClock
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.context import Context
from registry.service.propose import approve, propose
from registry.service.search import search_words
from registry.testing import NOON, InMemoryStore

pytestmark = pytest.mark.slow  # it reads the whole repository of the example

ROOT = Path(__file__).parent.parent.parent.parent
ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
# A question, and a feature that answers it.
ASKED = {
    "average delay of a carrier last month": "carrier_performance:late_rate_30d",
    "how late is an airline, on average, in a week": "carrier_performance:mean_arrival_delay_7d",
    "avg arr delay 24h carrier": "carrier_performance:mean_arrival_delay_24h",
    "share of cancelled flights per airline": "carrier_performance:cancel_rate_30d",
    "number of flights of a carrier in 7 days": "carrier_performance:flights_7d",
    "departures of the last 2 hours at the airport": "airport_congestion:departures_2h",
    "percentage of late departures today": "airport_congestion:late_departure_rate_24h",
    "departure delay of an airline in the past 2 hours":
        "carrier_departures:mean_departure_delay_2h",
    "how windy is it": "airport_weather:wind_speed",
    "temperature at the airport": "airport_weather:temperature",
    "how far can one see": "airport_weather:visibility",
    "rain in the last hour": "airport_weather:precipitation",
    "seats of an aircraft": "plane_attributes:seats",
    "who built the airplane": "plane_attributes:manufacturer",
    "how old is the plane": "plane_attributes:year_built",
    "avg arrival delay on a route last week": "route_performance:mean_arrival_delay_7d",
    "mean delay at the destination over six hours": "destination_arrivals:mean_arrival_delay_6h",
    "latitude of the destination": "destination_place:latitude",
}  # fmt: skip


@pytest.fixture(scope="module")
def context() -> Context:
    """A registry that holds the example's definitions."""
    loaded = load_repository(ROOT / "feature_repo", "flights").repository
    assert loaded is not None
    made = compile_repository(loaded)
    context = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    digest = propose(context, made, ADA).proposal.digest
    approve(context, digest, BOB)
    apply(context, digest, made, ADA)
    return context


@pytest.mark.parametrize("question", ASKED)
def test_a_question_finds_its_feature_among_the_first_five(context: Context, question: str) -> None:
    found = [hit.ref.split("/")[1].split("@")[0] for hit in search_words(context, question)][:5]
    assert ASKED[question] in found
