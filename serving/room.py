"""What the model room stands on: settings, stores, keys, registry, lookup; opened on first use."""

import contextlib
from functools import cached_property
from pathlib import Path

from registry.kernel.clock import Clock
from registry.kernel.errors import Invalid
from registry.kernel.settings import Settings
from registry.kernel.signing import SigningKey
from registry.ports import Registry
from registry.settings import HOME, clock_of
from serving import settings as names
from serving.loaded import LoadedModel, load_model
from serving.ports import FeatureLookup
from serving.runtimes.port import RuntimePolicy
from serving.signing import TRUSTED, TrustedKeys, ensure_signing_key, read_trusted_keys
from serving.store import Bundle, Store, Stores, read_bundle
from serving.worker.policy import WorkerPolicy


class Room:
    """The parts that packaging, the gate and the servers share."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry | None = None,
        lookup: FeatureLookup | None = None,
        clock: Clock | None = None,
        own_process: bool = False,
    ) -> None:
        self.settings = settings
        self._own_process = own_process
        self.clock = clock or clock_of(settings)
        self._registry = registry
        self._lookup = lookup
        self._resources = contextlib.ExitStack()

    def close(self) -> None:
        """Close what was opened here: the lookup and its store."""
        self._resources.close()

    @cached_property
    def registry(self) -> Registry:
        if self._registry is not None:
            return self._registry
        from registry.bootstrap import open_registry

        opened: Registry = open_registry(self.settings)
        return opened

    @cached_property
    def lookup(self) -> FeatureLookup:
        if self._lookup is not None:
            return self._lookup
        from featureserver.bootstrap import open_lookup

        opened = open_lookup(self.settings, registry=self.registry)
        self._resources.callback(opened.close)
        return opened

    @cached_property
    def stores(self) -> Stores:
        home = str(self.settings.path(HOME) / "models")
        backup = str(self.settings.get(names.BACKUP))
        return Stores(
            Store(self._place(str(self.settings.get(names.STORE)) or home)),
            Store(self._place(backup)) if backup else None,
        )

    def _place(self, url: str) -> str:
        return url if "://" in url else str(self.settings.root / url)

    @property
    def key_folder(self) -> Path:
        return self.settings.path(HOME) / "keys"

    @property
    def signing_key(self) -> SigningKey:
        """This installation's signing key, made on first use."""
        return ensure_signing_key(self.key_folder)

    @property
    def trusted(self) -> TrustedKeys:
        """The keys that this server trusts now; read each time, so revoking one takes effect."""
        folder = str(self.settings.get(names.TRUSTED_KEYS))
        return read_trusted_keys(
            self.settings.root / folder if folder else self.key_folder / TRUSTED
        )

    @property
    def policy(self) -> RuntimePolicy:
        allowed = tuple(self.settings.get(names.SKOPS_TYPES))
        return RuntimePolicy(
            skops_types=allowed,
            own_process=self._own_process,
            trusted=self.trusted,
            workers=worker_policy(self.settings),
        )

    def bundle(self, name: str, version: str) -> Bundle:
        """The verified bundle. Raises `NotFound`, `Refused`, `Corrupt`."""
        return read_bundle(self.stores.primary, name, version, self.trusted)

    def load(self, name: str, version: str) -> LoadedModel:
        """Verify and load one version. Raises as `bundle` does, or as its runtime does."""
        return load_model(self.bundle(name, version), self.policy)


def worker_policy(settings: Settings) -> WorkerPolicy:
    """What isolated workers are granted. Raises `Invalid` for an environment without a path."""
    environments: dict[str, str] = {}
    for entry in settings.get(names.WORKER_ENVIRONMENTS):
        name, separator, path = str(entry).partition("=")
        if not separator or not path:
            raise Invalid(f"serving.worker_environments has {entry!r}", hint="write name=path")
        environments[name.strip()] = path.strip()
    return WorkerPolicy(
        float(settings.get(names.WORKER_SECONDS)),
        float(settings.get(names.WORKER_START_SECONDS)),
        int(settings.get(names.WORKER_MEMORY_BYTES)),
        environments,
    )
