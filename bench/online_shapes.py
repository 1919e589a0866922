"""What the online benchmark asks for: entities, views and features, the same for every server.

Every shape has views of float64 features of one int64 entity, a ttl of a day, and rows an hour old.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
ENTITIES = 1000
TTL_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Kind:
    """So many features spread over so many views."""

    features: int
    views: int

    @property
    def name(self) -> str:
        return f"k{self.features}v{self.views}"

    def view_names(self) -> list[str]:
        return [f"{self.name}_{i}" for i in range(self.views)]

    def feature_names(self, view: int) -> list[str]:
        return [f"f{view}_{i}" for i in range(self.features // self.views)]

    def refs(self) -> list[str]:
        return [
            f"{name}:{feature}"
            for view, name in enumerate(self.view_names())
            for feature in self.feature_names(view)
        ]


KINDS = (
    Kind(10, 1), Kind(10, 5), Kind(50, 1), Kind(50, 5), Kind(200, 1), Kind(200, 5), Kind(200, 20),
)  # fmt: skip
ROWS = (1, 10, 100, 500)
QUICK = ((1, Kind(10, 1)), (10, Kind(50, 5)), (100, Kind(50, 1)), (100, Kind(50, 5)),
         (500, Kind(200, 20)))  # fmt: skip


def value(entity: int, view: int, feature: int) -> float:
    """A number with as many digits as real ones have."""
    return (entity * 7919 + view * 104_729 + feature * 1299) / 997.0


def event_time(entity: int) -> datetime:
    """An hour before now, some milliseconds apart."""
    return NOW - timedelta(hours=1, milliseconds=entity * 37)
