"""Features by the words that people use of them. Pure. To find and to explain, never to block.

Scored by BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over the words of a feature's name,
view, entity, unit, description and source, names counting most. Abbreviations are spelled out and
spans of time brought to one word, so that "last month" finds `_30d`.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

K1, B = 1.2, 0.75
ABBREVIATIONS: Mapping[str, tuple[str, ...]] = {
    "arr": ("arrival",),
    "avg": ("mean",),
    "average": ("mean",),
    "airline": ("carrier",),
    "airplane": ("plane",),
    "aircraft": ("plane",),
    "amt": ("amount",),
    "cnt": ("count",),
    "cust": ("customer",),
    "dep": ("departure",),
    "dest": ("destination",),
    "late": ("delay", "late"),
    "max": ("maximum",),
    "min": ("minimum",),
    "num": ("count",),
    "number": ("count",),
    "pct": ("share",),
    "percent": ("share",),
    "percentage": ("share",),
    "qty": ("quantity",),
    "rate": ("share", "rate"),
    "rain": ("precipitation", "rain"),
    "ratio": ("share",),
    "std": ("deviation",),
    "temp": ("temperature",),
    "txn": ("transaction",),
    "usr": ("user",),
    "windy": ("wind",),
}
_STOP = frozenset(
    {"a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "it", "last", "of", "on"}
    | {"do", "does", "did", "has", "have", "had", "how", "what", "which", "who", "many", "much"}
    | {"be", "been", "are", "its", "this", "each", "per", "i", "we", "find", "feature"}
    | {"or", "over", "past", "previous", "that", "the", "to", "was", "were", "with", "within"}
)
_HOURS = {"h": 1, "hour": 1, "d": 24, "day": 24, "w": 168, "week": 168, "m": 720, "month": 720}
_HOURS |= {"y": 8760, "year": 8760}
_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")
_SPAN = re.compile(r"(\d+)[\s_]*(hours?|days?|weeks?|months?|years?|h|d|w|m|y)(?![^\W_])")
_UNIT_ALONE = re.compile(r"(?:last|past|previous|one|a|per)\s+(hour|day|week|month|year)\b")


def words_of(text: str) -> list[str]:
    """The words of a name, a description or a question, in one spelling.

    >>> words_of("avg_arr_delay_30d")
    ['mean', 'arrival', 'delay', '720hours']
    """
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()
    spans: list[str] = []

    def keep(match: re.Match[str]) -> str:
        groups = match.groups()
        count, unit = groups if len(groups) == 2 else ("1", groups[0])
        hours = int(count) * _HOURS[unit.rstrip("s") if len(unit) > 1 else unit]
        spans.append(f"{hours}hours")
        return " "

    lowered = _UNIT_ALONE.sub(keep, _SPAN.sub(keep, lowered))
    found = [word for raw in _WORD.findall(lowered) for word in _spelled_out(raw)]
    return [*found, *spans]


def _spelled_out(word: str) -> Sequence[str]:
    if word in _STOP:
        return ()
    if word in ABBREVIATIONS:
        return ABBREVIATIONS[word]
    singular = word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word
    return ABBREVIATIONS.get(singular, (singular,))


@dataclass(frozen=True, slots=True)
class Document:
    """A feature as search sees it."""

    ref: str
    name: str
    view: str
    description: str = ""
    unit: str = ""
    join_keys: str = ""
    source: str = ""

    def counted(self) -> Counter[str]:
        """Its words, those of its name three times, of its view and description once."""
        counts: Counter[str] = Counter()
        for text, weight in (
            (self.name, 3),
            (self.description, 2),
            (self.view, 1),
            (self.join_keys, 1),
            (self.unit, 1),
            (self.source, 1),
        ):
            for word in set(words_of(text)):
                counts[word] += weight
        return counts


@dataclass(frozen=True, slots=True)
class Hit:
    """A feature that was found: its score, and the words that it shares with the question."""

    ref: str
    score: float
    words: tuple[str, ...]


@dataclass
class WordIndex:
    """Documents by word. Build it once, ask it often."""

    _documents: list[tuple[str, int]] = field(default_factory=list)
    _postings: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "WordIndex":
        index = cls()
        for place, document in enumerate(documents):
            counts = document.counted()
            index._documents.append((document.ref, counts.total()))
            for word, count in counts.items():
                index._postings[word].append((place, count))
        return index

    def search(self, question: str, limit: int = 10) -> list[Hit]:
        """The best `limit` documents for a question, best first; ties by name."""
        scores: dict[int, float] = defaultdict(float)
        shared: dict[int, list[str]] = defaultdict(list)
        lengths = [length for _, length in self._documents]
        mean = sum(lengths) / len(lengths) if lengths else 1.0
        for word in dict.fromkeys(words_of(question)):
            postings = self._postings.get(word, [])
            rarity = self._rarity(len(postings))
            for place, count in postings:
                norm = 1 - B + B * lengths[place] / mean
                scores[place] += rarity * count * (K1 + 1) / (count + K1 * norm)
                shared[place].append(word)
        found = [
            Hit(self._documents[place][0], score, tuple(shared[place]))
            for place, score in scores.items()
        ]
        return sorted(found, key=lambda hit: (-hit.score, hit.ref))[:limit]

    def _rarity(self, holders: int) -> float:
        return math.log(1 + (len(self._documents) - holders + 0.5) / (holders + 0.5))
