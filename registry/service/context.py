"""What every use case works with: the store, the clock, and what configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.core.owners import Owners
from registry.core.policy import DEFAULT_POLICY, Policy
from registry.core.rules.base import TableColumns
from registry.core.rules.engine import Waiver
from registry.kernel.clock import Clock
from registry.kernel.signing import SigningKey
from registry.ports import CheckpointBook, ComputedSketchMaker, SketchMaker, Store


@dataclass(frozen=True, slots=True)
class Context:
    """`tables` None: the warehouse was not asked, and rules about columns stay silent. `computed`
    None: the code of on-demand features is not run, since it may be anybody's."""

    store: Store
    clock: Clock
    key: SigningKey
    tables: TableColumns | None = None
    checkpoints: CheckpointBook | None = None
    sketches: SketchMaker | None = None
    computed: ComputedSketchMaker | None = None
    interval_seconds: float = 3600.0
    severities: Mapping[str, str] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    policy: Policy = field(default_factory=lambda: dict(DEFAULT_POLICY))
    owners: Owners = field(default_factory=Owners)
