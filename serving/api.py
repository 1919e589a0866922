"""The predictor that `from fieldhouse import Predictor` gives: opened from the working folder."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from registry.kernel.settings import read_settings
from serving import predict as core

if TYPE_CHECKING:
    from serving.app import DataPlane


class Predictor(core.Predictor):
    """Predicts in process, with the settings in force in `folder` (the working folder).

        with Predictor() as models:
            models.predict("flight_delay", {"origin": ["JFK"], "dest": ["LAX"]}).outputs

    Serves the registry's champions and follows them. Close it, or use it as a context manager.
    Raises `Misuse`, `Invalid` or `Unavailable` when something it needs is missing.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        from serving.bootstrap import open_serving

        room = open_serving(read_settings(Path(folder) if folder else Path.cwd()))
        self._take(room.predictor())

    def asgi(self, max_body_bytes: int = 16 << 20) -> "DataPlane":
        """The data plane over this predictor, to mount in an application of one's own:
        `app.mount("/models", predictor.asgi())`. A mounted application is not told of a shutdown,
        so close the predictor when the application ends."""
        from serving.app import create_app

        return create_app(self, max_body_bytes)

    def _take(self, opened: core.Predictor) -> None:
        self.__dict__.update(opened.__dict__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
