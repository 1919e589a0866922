"""The settings of training sets. Nothing is read here."""

from registry.kernel.settings import Setting

LEAST_COVERAGE = Setting(
    "training", "least_coverage", 0.5, "share of rows a view must answer, or a check warns"
)
LEAKAGE = Setting(
    "training", "leakage", 0.98, "AUC (or rank correlation) at which one feature alone is suspect"
)
QUALITY = Setting(
    "training",
    "quality",
    "warn",
    "what failed expectations do to a build: warn, quarantine, block or off",
)
BATCH_BYTES = Setting(
    "training",
    "batch_bytes",
    0,
    "about how much memory a batch of a spine and its features may take; 0 means a quarter of what"
    " is left, and at most half of warehouse.memory_limit",
)

SETTINGS = (LEAST_COVERAGE, LEAKAGE, QUALITY, BATCH_BYTES)
