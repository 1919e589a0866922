"""The model room's settings: names, defaults, and a sentence each. Nothing is read here."""

from registry.kernel.settings import Setting

STORE = Setting(
    "serving", "store", "", "where bundles lie (path or fsspec URL); empty: models in project.home"
)
BACKUP = Setting(
    "serving", "backup", "", "a second store that every bundle is written to; empty: none"
)
TRUSTED_KEYS = Setting(
    "serving", "trusted_keys", "", "folder of public keys (*.pub) this server loads bundles of"
)
SKOPS_TYPES = Setting(
    "serving", "skops_types", [], "types that skops models may hold beside the ones skops trusts"
)
HOST = Setting("serving", "host", "127.0.0.1", "address that the model server listens on")
PORT = Setting("serving", "port", 8081, "TCP port of the model server; 0 picks a free one")
SOCKET = Setting("serving", "socket", "", "path of the Unix socket to listen on as well")
MAX_BODY_BYTES = Setting("serving", "max_body_bytes", 16 << 20, "largest request body taken")
POLL_SECONDS = Setting(
    "serving", "poll_seconds", 1.0, "how often a server looks whether the champion has changed"
)
WAKEFUL_MICROS = Setting(
    "serving",
    "wakeful_micros",
    100.0,
    "how long a server looks for the next request after an answer before it sleeps for it; 0: not "
    "at all",
)
DRAIN_SECONDS = Setting(
    "serving", "drain_seconds", 10, "how long requests under way may take after SIGTERM"
)
WORKERS = Setting("serving", "workers", 1, "server processes that share the listening sockets")
MOST_IN_FLIGHT = Setting(
    "serving", "most_in_flight", 256, "predictions under way in one process; 429 for further ones"
)
LONGEST_WAIT_SECONDS = Setting(
    "serving", "longest_wait_seconds", 1.0, "a request that stood in line longer is answered 429"
)
RESERVE_BYTES = Setting(
    "serving", "reserve_bytes", 64 << 20, "memory to stay free; a load that needs it is refused"
)
LOG_CAPACITY = Setting(
    "serving",
    "log_capacity",
    20_000,
    "predicted rows held for the log before further ones are dropped",
)
LOG_FLUSH_SECONDS = Setting(
    "serving", "log_flush_seconds", 5.0, "how often the prediction log writes a Parquet segment"
)
WORKER_SECONDS = Setting(
    "serving", "worker_seconds", 5.0, "an isolated worker that takes longer is killed"
)
WORKER_START_SECONDS = Setting(
    "serving", "worker_start_seconds", 60.0, "how long an isolated worker may take to load"
)
WORKER_MEMORY_BYTES = Setting(
    "serving", "worker_memory_bytes", 4 << 30, "address space of an isolated worker; 0: no limit"
)
WORKER_ENVIRONMENTS = Setting(
    "serving",
    "worker_environments",
    [],
    "Python interpreters that bundles may ask for, each as name=path",
)
APPROVAL_DAYS = Setting("serving", "approval_days", 30, "days within which an approval can be used")
APPROVERS = Setting(
    "serving",
    "approvers",
    ["owner", "reliability"],
    "roles that must each approve a model, each by another person",
)
IMAGE = Setting(
    "serving", "image", "fieldhouse", "container image that the gate's Kubernetes manifests run"
)

SETTINGS = (
    STORE,
    BACKUP,
    TRUSTED_KEYS,
    SKOPS_TYPES,
    HOST,
    PORT,
    SOCKET,
    MAX_BODY_BYTES,
    POLL_SECONDS,
    WAKEFUL_MICROS,
    DRAIN_SECONDS,
    WORKERS,
    MOST_IN_FLIGHT,
    LONGEST_WAIT_SECONDS,
    RESERVE_BYTES,
    LOG_CAPACITY,
    LOG_FLUSH_SECONDS,
    WORKER_SECONDS,
    WORKER_START_SECONDS,
    WORKER_MEMORY_BYTES,
    WORKER_ENVIRONMENTS,
    APPROVAL_DAYS,
    APPROVERS,
    IMAGE,
)
