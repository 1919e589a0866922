"""A server's data plane put together: predictor, admission, labels, control."""

from collections.abc import Sequence

from featureserver.admission import Admission, ByWait
from registry.ports import Principal
from registry.settings import HOME
from serving import settings as names
from serving.app import DataPlane, create_app
from serving.control import Control
from serving.labels import LabelBook
from serving.placement import placed
from serving.room import Room
from serving.shared import ALONE, Shared


def open_data_plane(
    room: Room,
    models: Sequence[tuple[str, str]] | None = None,
    *,
    lookup: bool = True,
    log: bool = True,
    shared: Shared = ALONE,
) -> DataPlane:
    """The ASGI application of a model server over a room, which it closes at shutdown.

    Serves the registry's champions, or exactly `models`. Raises as
    `serving.placement.place_predictor` does.
    """
    predictor, follower = placed(room, models, lookup=lookup, log=log, shared=shared)
    settings = room.settings
    labels = LabelBook(settings.path(HOME) / "labels", room.clock)

    def authority(token: str | None, *roles: str) -> Principal:
        return room.registry.authority(token, *roles)  # opened when the first token is shown

    return create_app(
        predictor,
        int(settings.get(names.MAX_BODY_BYTES)),
        Control(authority, labels, follower),
        Admission(
            ByWait(
                int(settings.get(names.MOST_IN_FLIGHT)),
                float(settings.get(names.LONGEST_WAIT_SECONDS)),
            )
        ),
    )
