import pytest

from registry.core.similarity.words import Document, WordIndex, words_of

CORPUS = [
    Document("c:mean_arrival_delay_30d", "mean_arrival_delay_30d", "carrier", "how late", "minute"),
    Document("c:mean_arrival_delay_24h", "mean_arrival_delay_24h", "carrier", "how late", "minute"),
    Document("w:temp", "temp", "airport_weather", "air temperature at the airport", "degree"),
    Document("p:seats", "seats", "plane_attributes", "how many seats the plane has", "seat"),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("avg_arr_delay_30d", ["mean", "arrival", "delay", "720hours"]),
        ("average arrival delay of the last month", ["mean", "arrival", "delay", "720hours"]),
        ("AvgArrDelay30Days", ["mean", "arrival", "delay", "720hours"]),
        ("departures in the past 2 hours", ["departure", "2hours"]),
        ("delay per day", ["delay", "24hours"]),
        ("class", ["class"]),
        ("", []),
    ],
)
def test_names_and_questions_come_to_the_same_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("average arrival delay last month", "c:mean_arrival_delay_30d"),
        ("mean delay 1 day", "c:mean_arrival_delay_24h"),
        ("temperature", "w:temp"),
        ("seats of an aircraft", "p:seats"),
    ],
)
def test_the_best_answer_comes_first(question: str, best: str) -> None:
    assert WordIndex.of(CORPUS).search(question)[0].ref == best


def test_a_hit_says_which_words_it_shares() -> None:
    hit = WordIndex.of(CORPUS).search("average temperature")[0]
    assert (hit.ref, hit.words) == ("w:temp", ("temperature",))


def test_a_question_that_shares_no_word_finds_nothing() -> None:
    assert WordIndex.of(CORPUS).search("zebra") == []
    assert WordIndex.of([]).search("delay") == []
