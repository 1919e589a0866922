"""What `from fieldhouse import Lookup, push` gives: opened from the working folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from featureserver import lookup as core
from featureserver.bootstrap import open_lookup
from registry.kernel.settings import read_settings

if TYPE_CHECKING:
    from featureserver.push import PushReport


def push(
    source: str,
    rows: Mapping[str, Sequence[Any]] | Any,
    *,
    to: str = "online",
    token: str | None = None,
    folder: Path | str | None = None,
) -> "PushReport":
    """Write rows of a push source: `to` online, offline, or online_and_offline.

        push("ride_events", {"driver": ["d1"], "rate": [0.5], "event_timestamp": [now]})

    `rows` is column to values, an Arrow table or a pandas frame. Needs a token of role operator:
    `token`, else the environment's. Newest wins; pushing the same again changes nothing. Raises
    `Unauthorized`, `Forbidden`, `NotFound`, `Invalid` or `Refused`, and then nothing was written.
    """
    from featureserver.bootstrap import open_pusher
    from registry.bootstrap import open_registry
    from registry.settings import TOKEN

    settings = read_settings(Path(folder) if folder else Path.cwd())
    registry = open_registry(settings)
    registry.authority(token or str(settings.get(TOKEN)) or None, "operator")
    with open_pusher(settings, registry) as pusher:
        return pusher.push(source, _columns(rows), to=to)


def _columns(rows: Any) -> Mapping[str, Sequence[Any]]:
    if isinstance(rows, Mapping):
        return rows
    if hasattr(rows, "to_pydict"):
        arrow: dict[str, list[Any]] = rows.to_pydict()
        return arrow
    import pyarrow as pa

    frame: dict[str, list[Any]] = pa.Table.from_pandas(rows, preserve_index=False).to_pydict()
    return frame


class Lookup(core.Lookup):
    """Looks features up in process, with the settings in force in `folder` (the working folder).

        with Lookup() as features:
            features.get("flight_delay", {"origin": ["JFK"]}).to_dict()

    Close it, or use it as a context manager: an embedded Redis runs for as long as it is open.
    Raises `Misuse`, `Invalid` or `Unavailable` when something it needs is missing.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        opened = open_lookup(read_settings(Path(folder) if folder else Path.cwd()))
        super().__init__(opened.plans, opened.store, opened.clock, opened.reader, opened.resources)
        self.usage = opened.usage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
