"""Puts the predictor together: router, follower, lookup, log. Where it stands is its user's."""

import contextlib
from collections.abc import Sequence

from registry.ports import ModelRecord
from registry.settings import HOME
from serving import settings as names
from serving.approval import check_approval
from serving.deferred import DeferredLookup
from serving.follow import ModelFollower
from serving.loaded import LoadedModel, Router, routes_of
from serving.log import PredictionLog
from serving.predict import Predictor
from serving.room import Room


def place_predictor(
    room: Room,
    models: Sequence[tuple[str, str]] | None = None,
    *,
    lookup: bool = True,
    log: bool = True,
    follow: bool = True,
) -> Predictor:
    """The predictor over the registry's approved versions, following its champions.

    With `models`, pairs of name and version, exactly these are loaded without asking the
    registry, and any error in loading them is raised. Closing it closes the room.
    """
    router = Router()
    features = DeferredLookup(lambda: room.lookup) if lookup else None
    closing = contextlib.ExitStack()
    closing.callback(room.close)
    if models is not None:
        router.routes = routes_of([room.load(name, version) for name, version in models])
    else:
        follower = follower_of(room, router, features)
        follower.refresh()
        if follow:
            follower.start()
            closing.callback(follower.stop)
    if features is not None:
        features.warm(router.routes.all())
    return Predictor(
        router, room.clock, features, open_log(room) if log else None, on_close=closing.close
    )


def follower_of(
    room: Room, router: Router, features: DeferredLookup | None = None
) -> ModelFollower:
    """What keeps `router` in step with the model book; `refresh` it, or `start` it."""

    def load(record: ModelRecord) -> LoadedModel:
        check_approval(record, room.trusted)
        model = room.load(record.name, record.version)
        if features is not None:
            features.warm([model])
        return model

    poll_seconds = float(room.settings.get(names.POLL_SECONDS))
    return ModelFollower(room.registry.models, load, router, poll_seconds)


def open_log(room: Room) -> PredictionLog:
    """The prediction log in the project's home."""
    return PredictionLog(
        room.settings.path(HOME) / "predictions",
        int(room.settings.get(names.LOG_CAPACITY)),
        float(room.settings.get(names.LOG_FLUSH_SECONDS)),
    )
