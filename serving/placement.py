"""Puts the predictor together: router, follower, lookup, log. Where it stands is its user's."""

import contextlib
from collections.abc import Sequence

from registry.ports import ModelRecord
from registry.settings import HOME
from serving import settings as names
from serving.approval import check_approval
from serving.capacity import check_fits, loading_turn
from serving.deferred import DeferredLookup
from serving.follow import ModelFollower
from serving.held_out import HeldOut
from serving.loaded import LoadedModel, Router, load_model, routes_of
from serving.log import PredictionLog
from serving.metrics import ServingMetrics
from serving.predict import Predictor
from serving.room import Room
from serving.shared import ALONE, Shared


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
    return placed(room, models, lookup=lookup, log=log, follow=follow)[0]


def placed(
    room: Room,
    models: Sequence[tuple[str, str]] | None,
    *,
    lookup: bool,
    log: bool,
    follow: bool = True,
    shared: Shared = ALONE,
) -> tuple[Predictor, ModelFollower | None]:
    """The predictor, and what keeps it in step with the registry unless its models are fixed."""
    router = Router()
    features = DeferredLookup(lambda: room.lookup) if lookup else None
    closing = contextlib.ExitStack()
    closing.callback(room.close)
    follower = None
    if models is not None:
        router.routes = routes_of([load_one(room, name, version) for name, version in models])
    else:
        follower = follower_of(room, router, features, HeldOut(shared.held_out))
        closing.callback(follower.stop)
        follower.refresh()
        if follow:
            follower.start()
    if features is not None:
        features.warm(router.routes.all())
    logged = open_log(room) if log else None
    metrics = ServingMetrics(logged, shared.metrics, shared.slot)
    predictor = Predictor(router, room.clock, features, logged, metrics, closing.close)
    return predictor, follower


def load_one(room: Room, name: str, version: str) -> LoadedModel:
    """Verify and load one version in its turn. Raises as `Room.load` does, or `DoesNotFit`."""
    with loading_turn(room.settings.path(HOME) / "loading.lock"):
        bundle = room.bundle(name, version)
        check_fits(bundle, int(room.settings.get(names.RESERVE_BYTES)))
        return load_model(bundle, room.policy)


def follower_of(
    room: Room,
    router: Router,
    features: DeferredLookup | None = None,
    held_out: HeldOut | None = None,
) -> ModelFollower:
    """What keeps `router` in step with the model book; `refresh` it, or `start` it."""

    def load(record: ModelRecord) -> LoadedModel:
        check_approval(record, room.trusted)
        model = load_one(room, record.name, record.version)
        if features is not None:
            features.warm([model])
        return model

    poll_seconds = float(room.settings.get(names.POLL_SECONDS))
    beside = features.refresh if features is not None else lambda: None
    return ModelFollower(room.registry.models, load, router, poll_seconds, held_out, beside)


def open_log(room: Room) -> PredictionLog:
    """The prediction log in the project's home."""
    return PredictionLog(
        room.settings.path(HOME) / "predictions",
        int(room.settings.get(names.LOG_CAPACITY)),
        float(room.settings.get(names.LOG_FLUSH_SECONDS)),
    )
