"""Joins the training room: registry, engine, folders and limits, as the settings say."""

import re
from typing import cast

from registry.kernel.errors import Invalid
from registry.kernel.memory import available_bytes
from registry.kernel.settings import Settings
from registry.ports import Registry
from registry.settings import HOME, INTERVAL, clock_of
from training.build import Training
from training.checks import Limits
from training.quality import POLICIES, QualityPolicy
from training.settings import BATCH_BYTES, LEAKAGE, LEAST_COVERAGE, QUALITY
from training.writer import DatasetFolder
from warehouse.bootstrap import open_engine
from warehouse.engines.port import Engine
from warehouse.settings import MEMORY_LIMIT
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
        batch_bytes=default_batch_bytes(settings),
    )


def default_batch_bytes(settings: Settings) -> int:
    """A quarter of what is left, and no more than half of what the warehouse may use, unless told:
    each batch reads the histories again, so few large ones are faster."""
    told = int(settings.get(BATCH_BYTES))
    shares = ((available_bytes(), 4), (_bytes(str(settings.get(MEMORY_LIMIT))), 2))
    return told or min((most // share for most, share in shares if most), default=1 << 30)


def _bytes(text: str) -> int | None:
    """The bytes of `4GB` or `512 MiB`; None for what is no such size."""
    found = re.match(r"^\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*$", text, re.IGNORECASE)
    if found is None:
        return None
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(prefix.lower() or " "))


def _open_registry(settings: Settings) -> Registry:
    from registry.bootstrap import open_registry

    return open_registry(settings)
