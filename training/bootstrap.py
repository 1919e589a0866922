"""Joins the training room: registry, engine, folders and limits, as the settings say."""

from typing import cast

from registry.kernel.errors import Invalid
from registry.kernel.settings import Settings
from registry.ports import Registry
from registry.settings import HOME, INTERVAL, clock_of
from training.build import Training
from training.checks import Limits
from training.quality import POLICIES, QualityPolicy
from training.settings import LEAKAGE, LEAST_COVERAGE, QUALITY
from training.writer import DatasetFolder
from warehouse.bootstrap import open_engine
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore


def open_training(
    settings: Settings,
    registry: Registry | None = None,
    engine: Engine | None = None,
    actor: str | None = None,
) -> Training:
    """Training as configured: sets in `<home>/datasets`, snapshots in `<home>/snapshots`.

    `registry` and `engine` are the configured ones when None; `actor`, whom manifests name as
    builder, is the system's user. Raises `Invalid` for a setting that
    makes no sense.
    """
    policy = settings.get(QUALITY)
    if policy not in POLICIES:
        raise Invalid(f"{QUALITY.name} is {policy!r}", f"it may be {', '.join(POLICIES)}")
    home = settings.path(HOME)
    environ = settings.environ
    return Training(
        registry=registry if registry is not None else _open_registry(settings),
        engine=engine if engine is not None else open_engine(settings),
        datasets=DatasetFolder(home / "datasets"),
        quarantine=DatasetFolder(home / "quarantine"),
        snapshots=SnapshotStore(home / "snapshots"),
        clock=clock_of(settings),
        limits=Limits(settings.get(LEAST_COVERAGE), settings.get(LEAKAGE)),
        quality=cast(QualityPolicy, policy),
        project=settings.root,
        actor=actor or environ.get("USER") or environ.get("LOGNAME") or "unknown",
        interval_seconds=float(settings.get(INTERVAL)),
    )


def _open_registry(settings: Settings) -> Registry:
    from registry.bootstrap import open_registry

    return open_registry(settings)
