"""Following the registry: which approved versions are loaded, and which of them is champion.

Runs beside the requests, never in one. A version that cannot be loaded takes nothing else away.
"""

import logging
import threading
from collections.abc import Callable

from registry.kernel.errors import FieldhouseError
from registry.ports import ModelBook, ModelRecord
from serving.loaded import LoadedModel, Router, Routes

logger = logging.getLogger(__name__)

SERVED_STATES = ("approved", "champion")
_RETRY_FAILED_EVERY = 30
Key = tuple[str, str]


class ModelFollower:
    """Keeps a router in step with the model book.

    `load` verifies approval and bundle and loads one version. Loads happen one at a time.
    """

    def __init__(
        self,
        models: ModelBook,
        load: Callable[[ModelRecord], LoadedModel],
        router: Router,
        poll_seconds: float = 1.0,
    ) -> None:
        self._models = models
        self._load = load
        self._router = router
        self._poll_seconds = poll_seconds
        self._failed: dict[Key, str] = {}
        self._leaving: list[LoadedModel] = []
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

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception as error:  # the last routes go on being served
                logger.warning(
                    f"the model registry cannot be followed: {error}",
                    extra={"action": "models:follow"},
                )

    def refresh(self) -> Routes:
        """Load what became served, switch the routes in one step, unload what left before."""
        for gone in self._leaving:  # no request has held it for a whole round
            gone.runtime.unload()
        self._leaving = []
        self._rounds += 1
        if self._rounds % _RETRY_FAILED_EVERY == 0:
            self._failed.clear()
        records = [r for r in self._models.all() if r.state in SERVED_STATES]
        champions = {name: self._champion(name) for name in sorted({r.name for r in records})}
        before = {(m.name, m.version): m for m in self._router.routes.all()}
        loaded = self._load_missing(records, before)
        self._router.routes = self._routes(loaded, champions)
        self._leaving = [model for key, model in before.items() if key not in loaded]
        return self._router.routes

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
