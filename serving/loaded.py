"""Loaded models and the one atomic table that says which of them answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.kernel.errors import NotFound, Unavailable
from serving.bundle import Manifest
from serving.rows import RowPlan
from serving.runtimes import find_format, open_runtime
from serving.runtimes.port import Runtime, RuntimePolicy
from serving.signature import Signature
from serving.store import Bundle


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One version in memory, with everything that is decided at load.

    `isolated` says that the model answers from another process, for which no event loop waits.
    """

    manifest: Manifest
    version: str
    digest: str
    runtime: Runtime
    plan: RowPlan
    refs: tuple[str, ...]
    isolated: bool = False

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def signature(self) -> Signature:
        return self.manifest.signature


def load_model(bundle: Bundle, policy: RuntimePolicy) -> LoadedModel:
    """Load a verified bundle. Raises as `serving.runtimes.open_runtime` does."""
    runtime = open_runtime(bundle, policy)
    signature = bundle.manifest.signature
    return LoadedModel(
        bundle.manifest,
        bundle.manifest.version,
        bundle.digest,
        runtime,
        RowPlan(signature),
        signature.refs,
        find_format(bundle.manifest.model.format).isolated,
    )


@dataclass(frozen=True, slots=True)
class Routes:
    """Who answers for which name, as one value that is swapped whole.

    `failed` says why a version that should be here is not.
    """

    models: Mapping[str, Mapping[str, LoadedModel]] = field(default_factory=dict)
    champions: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def find(self, name: str, version: str | None = None) -> LoadedModel:
        """That version, or the champion. Raises `NotFound`, or `Unavailable` while not loaded."""
        wanted = version or self.champions.get(name)
        found = self.models.get(name, {}).get(wanted) if wanted else None
        if found is not None:
            return found
        raise self._absent(name, wanted)

    def _absent(self, name: str, version: str | None) -> NotFound | Unavailable:
        names = {*self.models, *(failed_name for failed_name, _ in self.failed)}
        if name not in names:
            return NotFound("model", name, names)
        if version is not None and (name, version) in self.failed:
            why = self.failed[name, version]
            return Unavailable(f"model {name} version {version} is not ready", why)
        if version is None:
            return self._no_champion(name)
        return NotFound(f"version of model {name}", version, self.models.get(name, {}))

    def _no_champion(self, name: str) -> Unavailable:
        failed = sorted((v, why) for (one, v), why in self.failed.items() if one == name)
        if failed:
            why = "; ".join(f"version {version}: {why}" for version, why in failed)
            return Unavailable(f"model {name} is not ready", why)
        return Unavailable(f"model {name} has no champion", hint="promote an approved version")

    def silent(self) -> list[str]:
        """Names whose loading failed and that no other version answers for, sorted."""
        return sorted({name for name, _ in self.failed if name not in self.champions})

    def all(self) -> list[LoadedModel]:
        return [model for versions in self.models.values() for model in versions.values()]


class Router:
    """Holds the routes in force. Reading them is one attribute; replacing them is one too."""

    def __init__(self, routes: Routes | None = None) -> None:
        self.routes = routes or Routes()


def routes_of(models: list[LoadedModel], champions: Mapping[str, str] | None = None) -> Routes:
    """Routes over these models; without `champions` the last version of each name answers."""
    table: dict[str, dict[str, LoadedModel]] = {}
    for model in models:
        table.setdefault(model.name, {})[model.version] = model
    newest = {model.name: model.version for model in models}
    return Routes(table, newest if champions is None else champions)
