"""Following the registry: which approved versions are loaded, and which of them is champion.

Runs beside the requests, never in one. A version that cannot be loaded takes nothing else away.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic

from registry.kernel.errors import FieldhouseError, Invalid, NotFound, Unavailable
from registry.ports import ModelBook, ModelRecord
from serving.held_out import HeldOut
from serving.loaded import LoadedModel, Router, Routes

logger = logging.getLogger(__name__)

SERVED_STATES = ("approved", "champion")
_RETRY_FAILED_EVERY = 30
Key = tuple[str, str]


class ModelFollower:
    """Keeps a router in step with the model book.

    `load` verifies approval and bundle and loads one version. Loads happen one at a time. `beside`
    is called in each round of following: what else shall be asked for away from requests.
    """

    def __init__(
        self,
        models: ModelBook,
        load: Callable[[ModelRecord], LoadedModel],
        router: Router,
        poll_seconds: float = 1.0,
        held_out: HeldOut | None = None,
        beside: Callable[[], None] = lambda: None,
        grace_seconds: float = 30.0,
    ) -> None:
        self._models = models
        self._load = load
        self._router = router
        self._poll_seconds = poll_seconds
        self._held_out = held_out or HeldOut()
        self._beside = beside
        self._grace_seconds = grace_seconds
        self._turn = threading.Lock()
        self._failed: dict[Key, str] = {}
        self._leaving: list[tuple[float, LoadedModel]] = []
        self._rounds = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow in the background until `stop`."""
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def load(self, name: str, version: str | None = None) -> None:
        """Serve what is approved of a name, now, whatever kept it from being served.

        Raises `NotFound`, `Invalid` (nothing, or not this version, is approved) or `Unavailable`
        with the reason why it does not load.
        """
        records = self._models.all(name)
        if not records:
            raise NotFound("model", name, {record.name for record in self._models.all()})
        served = {record.version for record in records if record.state in SERVED_STATES}
        if version is not None and version not in served:
            raise Invalid(f"version {version} of model {name} is not approved")
        if not served:
            raise Invalid(f"no version of model {name} is approved")
        self._held_out.release(name)
        self._failed = {key: why for key, why in self._failed.items() if key[0] != name}
        routes = self.refresh()
        failed = {v: why for (n, v), why in routes.failed.items() if n == name}
        if failed and (version in failed or name in routes.silent()):
            raise Unavailable(f"model {name} does not load", "; ".join(failed.values()))

    def unload(self, name: str) -> None:
        """Serve nothing of this name until it is loaded again. Raises `NotFound`."""
        if name not in {model.name for model in self._router.routes.all()}:
            raise NotFound("loaded model", name, self._router.routes.models)
        self._held_out.hold(name)
        self.refresh()

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.refresh()
                self._beside()
            except Exception as error:  # the last routes go on being served
                logger.warning(
                    f"the model registry cannot be followed: {error}",
                    extra={"action": "models:follow"},
                )

    def refresh(self) -> Routes:
        """Load what became served, switch the routes in one step, unload what left before."""
        with self._turn:
            return self._refresh()

    def _refresh(self) -> Routes:
        self._unload_those_that_left()
        self._rounds += 1
        if self._rounds % _RETRY_FAILED_EVERY == 0:
            self._failed.clear()
        held = self._held_out.names()
        records = [r for r in self._models.all() if r.state in SERVED_STATES and r.name not in held]
        champions = {name: self._champion(name) for name in sorted({r.name for r in records})}
        before = {(m.name, m.version): m for m in self._router.routes.all()}
        loaded = self._load_missing(records, before)
        self._router.routes = self._routes(loaded, champions)
        now = monotonic()
        self._leaving += [(now, model) for key, model in before.items() if key not in loaded]
        return self._router.routes

    def _unload_those_that_left(self) -> None:
        """A request may still hold a model that left, so it is unloaded some time after."""
        since = monotonic() - self._grace_seconds
        for left_at, model in self._leaving:
            if left_at <= since:
                model.runtime.unload()
        self._leaving = [entry for entry in self._leaving if entry[0] > since]

    def _champion(self, name: str) -> str | None:
        record = self._models.champion(name)
        return record.version if record is not None else None

    def _load_missing(
        self, records: list[ModelRecord], before: dict[Key, LoadedModel]
    ) -> dict[Key, LoadedModel]:
        loaded: dict[Key, LoadedModel] = {}
        for record in records:
            key = (record.name, record.version)
            if key in before:
                loaded[key] = before[key]
            elif key not in self._failed:
                self._try_load(record, loaded)
        wanted = {(record.name, record.version) for record in records}
        self._failed = {key: why for key, why in self._failed.items() if key in wanted}
        return loaded

    def _try_load(self, record: ModelRecord, loaded: dict[Key, LoadedModel]) -> None:
        key = (record.name, record.version)
        try:
            loaded[key] = self._load(record)
        except FieldhouseError as error:
            self._failed[key] = str(error)
            logger.error(
                f"model {record.name} {record.version} cannot be served: {error}",
                extra={"action": "models:load", "model": record.name, "version": record.version},
            )

    def _routes(self, loaded: dict[Key, LoadedModel], champions: dict[str, str | None]) -> Routes:
        table: dict[str, dict[str, LoadedModel]] = {}
        for key, model in loaded.items():
            table.setdefault(key[0], {})[key[1]] = model
        answering: dict[str, str] = {}
        for name, version in champions.items():
            held = self._router.routes.champions.get(name)
            # A champion that does not load leaves the place to the one that answered so far.
            for choice in (version, held if version else None):
                if choice is not None and choice in table.get(name, {}):
                    answering[name] = choice
                    break
        return Routes(table, answering, dict(self._failed))
