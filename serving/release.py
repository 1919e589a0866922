"""Release and rollback: one pointer moves. The pointer is the truth; states only describe it."""

from dataclasses import replace

from registry.kernel.errors import Forbidden, Refused
from registry.ports import ModelBook, ModelRecord, Principal
from serving.approval import Desk, check_approval
from serving.history import evidence_of

RELEASERS = ("owner", "operator", "reliability")


def promote_model(name: str, version: str, by: Principal, desk: Desk) -> ModelRecord:
    """Make an approved version the champion; the one before stays approved, for rollback.

    Raises `Forbidden`, `NotFound` or `Refused` (not approved, approval lapsed or expired).
    """
    _check_role(by)
    models = desk.models
    record = models.get(name, version)
    before = models.champion(name)
    if before is not None and before.version == version:
        return before
    if record.state != "approved":
        raise Refused(
            f"model {name} {version} is {record.state}", hint="only an approved version is promoted"
        )
    check_approval(record, desk.trusted, desk.now, desk.needs)
    promoted = replace(
        record, facts={**record.facts, "previous": before.version if before else None}
    )
    models.save(promoted, by.subject, "model:promote")
    models.set_champion(name, version, by.subject, "", evidence_of(promoted))
    if before is not None:
        models.save(replace(before, state="approved"), by.subject, "model:stood-down")
    return _enthrone(models, name, version, by)


def rollback_model(name: str, by: Principal, reason: str, desk: Desk) -> ModelRecord:
    """Swap back to the version before; the one taken back is retired. Returns the new champion.

    Raises `Forbidden`, or `Refused` when there is nothing to go back to.
    """
    _check_role(by)
    models = desk.models
    current = models.champion(name)
    previous = current.facts.get("previous") if current else None
    if current is None or not previous:
        raise Refused(f"model {name} has no version to go back to")
    record = models.get(name, previous)
    if record.state != "approved":
        raise Refused(f"model {name} {previous} is {record.state}", hint="promote another version")
    check_approval(record, desk.trusted)
    models.set_champion(name, previous, by.subject, reason, evidence_of(record))
    models.save(replace(current, state="retired"), by.subject, "model:retired", reason)
    return _enthrone(models, name, previous, by)


def _enthrone(models: ModelBook, name: str, version: str, by: Principal) -> ModelRecord:
    champion = replace(models.get(name, version), state="champion")
    models.save(champion, by.subject, "model:enthroned")
    return champion


def _check_role(by: Principal) -> None:
    if not by.roles & set(RELEASERS):
        raise Forbidden(
            f"{by.subject} may not release models", f"it needs a role of {', '.join(RELEASERS)}"
        )
