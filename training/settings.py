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

SETTINGS = (LEAST_COVERAGE, LEAKAGE, QUALITY)
