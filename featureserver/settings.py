"""The feature server's settings: where online rows are kept, and where the server listens."""

from pathlib import Path

from registry.kernel.settings import Setting, Settings
from registry.settings import HOME

URL = Setting(
    "online",
    "url",
    "",
    "Redis URL (redis://, rediss://, unix://, redis+cluster:// with one of its nodes); empty means "
    "a redis-server started for you",
    secret=True,
)
SOCKET = Setting(
    "online", "socket", "", "socket of the embedded Redis; empty means redis/ in project.home"
)
TIMEOUT_SECONDS = Setting("online", "timeout_seconds", 1.0, "how long one answer of Redis may take")
POLL_MICROS = Setting(
    "online",
    "poll_micros",
    250.0,
    "how long a small lookup that is alone looks for a near Redis's answer before it sleeps; "
    "0: not at all",
)
RETENTION_SECONDS = Setting(
    "online",
    "retention_seconds",
    0.0,
    "Redis forgets a row this long after its ttl; 0 means rows stay",
)
LATE_ARRIVAL_SECONDS = Setting(
    "online",
    "late_arrival_seconds",
    3600.0,
    "an incremental run starts this long before the last one's end",
)
ON_FAILED_QUALITY = Setting(
    "online",
    "on_failed_quality",
    "block",
    "what a failed expectation does to a view's materialization: block, quarantine (its features "
    "too), warn",
)
PARALLEL_VIEWS = Setting("online", "parallel_views", 2, "how many views are written at a time")
PARITY_KEYS = Setting(
    "online", "parity_keys", 200, "entities of each view compared at the end of a materialization"
)
SWITCH_GRACE_SECONDS = Setting(
    "online",
    "switch_grace_seconds",
    5.0,
    "how long after a switch the old generation is deleted; more than online.refresh_seconds",
)
REFRESH_SECONDS = Setting(
    "online", "refresh_seconds", 2.0, "how often the registry is asked for a new published state"
)
MAX_STATE_AGE_SECONDS = Setting(
    "online",
    "max_state_age_seconds",
    86400.0,
    "how long the last published state serves when the registry does not answer",
)
HOST = Setting("features", "host", "127.0.0.1", "address that the feature server listens on")
PORT = Setting("features", "port", 6566, "TCP port of the feature server; 0 takes any free one")
LISTEN_SOCKET = Setting(
    "features", "socket", "", "Unix socket that the feature server listens on besides TCP"
)
MAX_BODY_BYTES = Setting(
    "features", "max_body_bytes", 16 * 1024 * 1024, "requests with a longer body are answered 413"
)
DRAIN_SECONDS = Setting(
    "features", "drain_seconds", 10, "how long SIGTERM waits for requests under way"
)
WORKERS = Setting("features", "workers", 1, "how many processes answer; a dead one is replaced")
QUEUE_SECONDS = Setting(
    "features",
    "queue_seconds",
    0.25,
    "a lookup that would wait longer than this for those before it is answered 429",
)
MAX_ROWS = Setting("features", "max_rows", 10_000, "lookups of more entities are answered 422")
FEAST_ANSWERS = Setting(
    "features",
    "feast_answers",
    False,
    "answer as Feast's own server does: every status PRESENT, no ttl; also by the request header "
    "Fieldhouse-Feast-Answers",
)
USAGE_SECONDS = Setting(
    "features", "usage_seconds", 10.0, "how often counts of use are written to the registry"
)
ACCESS_LOG = Setting(
    "features",
    "access_log",
    "",
    "file that gets a JSON line per lookup, half a second later; - is stderr, empty writes none",
)

SETTINGS = (
    URL,
    SOCKET,
    TIMEOUT_SECONDS,
    POLL_MICROS,
    RETENTION_SECONDS,
    LATE_ARRIVAL_SECONDS,
    ON_FAILED_QUALITY,
    PARALLEL_VIEWS,
    PARITY_KEYS,
    SWITCH_GRACE_SECONDS,
    REFRESH_SECONDS,
    MAX_STATE_AGE_SECONDS,
    HOST,
    PORT,
    LISTEN_SOCKET,
    MAX_BODY_BYTES,
    DRAIN_SECONDS,
    WORKERS,
    QUEUE_SECONDS,
    MAX_ROWS,
    FEAST_ANSWERS,
    USAGE_SECONDS,
    ACCESS_LOG,
)


def redis_folder(settings: Settings) -> Path:
    """The folder that the embedded Redis keeps its data in."""
    return settings.path(HOME) / "redis"
