"""The door: the public names of Fieldhouse, each loaded when it is first asked for.

    from fieldhouse import governed, SqlSource, expect          # to define features
    from fieldhouse import build_training_set, load_training_set  # to train
    from fieldhouse import Lookup, push, Predictor              # to serve

Nothing happens on import. No logic lives here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featureserver.api import Lookup as Lookup
    from featureserver.api import push as push
    from registry.vocabulary import SqlSource as SqlSource
    from registry.vocabulary import expect as expect
    from registry.vocabulary import governed as governed
    from serving.api import Predictor as Predictor
    from training.api import build_training_set as build_training_set
    from training.api import load_training_set as load_training_set

_HOMES = {
    "Lookup": "featureserver.api",
    "Predictor": "serving.api",
    "SqlSource": "registry.vocabulary",
    "build_training_set": "training.api",
    "expect": "registry.vocabulary",
    "governed": "registry.vocabulary",
    "load_training_set": "training.api",
    "push": "featureserver.api",
}

__all__ = [
    "Lookup",
    "Predictor",
    "SqlSource",
    "build_training_set",
    "expect",
    "governed",
    "load_training_set",
    "push",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fieldhouse' has no attribute {name!r}")
    from fieldhouse.rooms import load

    return getattr(load(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
