"""Removing a training set: who may, and when nobody may. The set's files go last."""

from collections.abc import Sequence

from registry.kernel.errors import Forbidden, Misuse, NotFound, Refused
from registry.ports import ModelBook, Principal, Registry
from training.writer import DatasetFolder

ROLE = "steward"
_ENDED = frozenset({"retired", "rejected"})


def remove_set(
    name: str,
    registry: Registry,
    datasets: DatasetFolder,
    quarantine: DatasetFolder,
    principal: Principal,
    reason: str,
) -> None:
    """Take a set, or the one in quarantine, off the registry's list and remove its files.

    A person with the role steward does that, for a reason that the audit keeps. Snapshots stay
    until the next `training.garbage.collect`. Raises `Forbidden`, `Misuse` (no reason), `NotFound`,
    and `Refused` while a model that is neither retired nor rejected was trained on it.
    """
    if principal.bot or ROLE not in principal.roles:
        raise Forbidden(
            f"{principal.subject} may not remove training set {name!r}",
            hint=f"it takes a person with role {ROLE}",
        )
    if not reason.strip():
        raise Misuse(f"removing training set {name!r} needs a reason", hint="the audit keeps it")
    listed = [record.name for record in registry.datasets.all()]
    here = datasets.has(name) or quarantine.has(name)
    if name not in listed and not here:
        raise NotFound("training set", name, {*listed, *datasets.names(), *quarantine.names()})
    users = models_on(name, registry.models)
    if users:
        raise Refused(
            f"training set {name!r} cannot be removed",
            f"trained on it: {', '.join(users)}",
            "retire these models first, or keep the set: their lineage ends in it",
        )
    if name in listed:
        registry.datasets.remove(name, principal.subject, reason)
    datasets.remove(name)
    quarantine.remove(name)


def models_on(name: str, models: ModelBook) -> Sequence[str]:
    """The models, as `name@version`, that were trained on a set and may be or become served."""
    return sorted(
        f"{model.name}@{model.version}"
        for model in models.all()
        if model.facts.get("training_set") == name and model.state not in _ENDED
    )
