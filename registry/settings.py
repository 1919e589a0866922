"""The registry's settings, and those of the project as a whole."""

from registry.kernel.clock import Clock, clock_at
from registry.kernel.settings import Setting, Settings

NAMESPACE = Setting("project", "namespace", "default", "the namespace that this repository owns")
REPOSITORY = Setting("project", "repository", "feature_repo", "the folder of feature definitions")
HOME = Setting("project", "home", ".fieldhouse", "where Fieldhouse keeps its own files")
INSTANT = Setting(
    "clock", "instant", "", "a declared instant for every now, such as 2013-10-01T12:00:00Z"
)
REGISTRY_URL = Setting(
    "registry", "url", "", "SQLAlchemy URL; empty means the SQLite file registry.db in project.home"
)
TOKEN = Setting("auth", "token", "", "the token that commands act with", secret=True)

INTERVAL = Setting(
    "materialize", "interval_seconds", 3600.0, "how often features are materialized, in seconds"
)
FORGE_REPOSITORY = Setting(
    "forge",
    "repository",
    "",
    "owner/name of this repository on its forge; other events are refused",
)
FORGE_BASE = Setting("forge", "base", "main", "the branch whose definitions the registry follows")
FEAST_SYNC = Setting("feast", "sync", True, "bring Feast's own registry in step after each apply")

COMPARE_VALUES = Setting(
    "duplicates", "values", True, "compare the values of new features with those of known ones"
)
COMPARE_SECONDS = Setting(
    "duplicates", "seconds", 120.0, "how long each query of such a comparison may take; 0: for ever"
)

SETTINGS = (
    NAMESPACE,
    REPOSITORY,
    HOME,
    INSTANT,
    REGISTRY_URL,
    TOKEN,
    INTERVAL,
    FORGE_REPOSITORY,
    FORGE_BASE,
    FEAST_SYNC,
    COMPARE_VALUES,
    COMPARE_SECONDS,
)


def clock_of(settings: Settings) -> Clock:
    """The clock that these settings ask for."""
    return clock_at(settings.get(INSTANT) or None)


def registry_url(settings: Settings) -> str:
    """The database URL in force."""
    return str(settings.get(REGISTRY_URL)) or f"sqlite:///{settings.path(HOME) / 'registry.db'}"
