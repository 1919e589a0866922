import pytest

from featureserver.state import PLANS_KEPT, PlanBook
from registry.kernel.errors import Unavailable
from registry.testing import feature, published, view

VIEW = view("v", [feature("f")])


class Source:
    """A published reader whose answers and failures are set by the test."""

    def __init__(self):
        self.state = published(VIEW)
        self.away = False
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.away:
            raise Unavailable("the registry does not answer")
        return self.state


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def book(source, clock):
    return PlanBook(source, None, 2.0, 100.0, lambda: clock[0])


def test_a_plan_is_compiled_once_and_the_registry_asked_once_an_interval(book, source, clock):
    first = book.plan(["v:f"])
    assert book.plan(["v:f"]) is first
    assert source.asked == 1
    clock[0] = 2.0
    assert book.plan(["v:f"]) is first
    assert source.asked == 2


def test_a_new_number_makes_a_new_plan(book, source, clock):
    first = book.plan(["v:f"])
    source.state = published(VIEW, number=2)
    clock[0] = 2.0
    assert book.plan(["v:f"]).number == 2
    assert book.plan(["v:f"]) is not first


def test_the_last_state_serves_while_the_registry_is_away_up_to_its_age(book, source, clock):
    book.plan(["v:f"])
    source.away = True
    clock[0] = 99.0
    assert book.plan(["v:f"]).number == 1
    assert book.age_seconds == 99.0
    clock[0] = 101.0
    with pytest.raises(Unavailable, match="too old"):
        book.plan(["v:f"])
    source.away = False
    clock[0] = 104.0
    assert book.plan(["v:f"]).number == 1


def test_without_any_state_the_registrys_absence_is_told(book, source):
    source.away = True
    with pytest.raises(Unavailable, match="does not answer"):
        book.plan(["v:f"])


def test_a_polled_book_never_asks_during_a_lookup(book, source, clock):
    book.plan(["v:f"])
    book.polled = True
    clock[0] = 50.0
    book.plan(["v:f"])
    assert source.asked == 1


def test_plans_of_ever_new_requests_do_not_pile_up(book):
    kept = [book.plan(["v:f"] * n) for n in range(1, PLANS_KEPT + 10)]
    assert len(book._plans) == PLANS_KEPT
    assert kept[0].names == ("f",)
