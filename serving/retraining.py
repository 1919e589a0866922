"""Retrained versions that pass by a policy declared beforehand, within guard rails.

The policy is persons' words too: each role that approves models has declared it on a champion, the
base. What differs from the base in more than its data and its numbers does not pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from registry.kernel.canonical import canonical_json, digest
from registry.kernel.errors import Corrupt, Forbidden, Refused
from registry.kernel.signing import SigningKey
from registry.ports import ModelRecord, Principal
from serving.approval import Approval, Desk, check_report, keep_words
from serving.bundle import Manifest
from serving.gate.report import GateReport
from serving.history import evidence_of
from serving.signing import TrustedKeys, seal, verify

STANDING = "standing"
BASE = "retrained_from"
PURPOSE = "standing policy"


@dataclass(frozen=True, slots=True)
class Rails:
    """How far a retrained version may go.

    `max_loss` is how much worse than the incumbent its metric may be measured, `max_memory_ratio`
    its memory limit over the base's, `max_cpu_ratio` its processor time a prediction over the
    base's, `max_versions` how many versions may pass before a person looks again.
    """

    max_loss: float = 0.002
    max_memory_ratio: float = 1.25
    max_cpu_ratio: float = 2.0
    max_versions: int = 12


@dataclass(frozen=True, slots=True)
class Standing:
    """One role's word for the policy. Instants are aware UTC."""

    model: str
    base: str
    bundle_digest: str
    rails: Rails
    role: str
    needs: tuple[str, ...]
    declared_by: str
    comment: str
    at: datetime
    expires_at: datetime

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self)).encode()


@dataclass(frozen=True, slots=True)
class Retrained:
    """A version that wants to pass, and the base that it descends from, each with its evidence."""

    record: ModelRecord
    manifest: Manifest
    report: GateReport
    base: ModelRecord
    base_manifest: Manifest
    base_report: GateReport
    earlier: int
    champion: ModelRecord | None


def declare(
    base: ModelRecord,
    rails: Rails,
    by: Principal,
    comment: str,
    desk: Desk,
    role: str | None = None,
) -> ModelRecord:
    """Give one role's word for a policy on the champion `base`; other rails begin it anew.

    Raises `Forbidden` (a bot, no such role, the same person twice) or `Refused`.
    """
    if base.state != "champion":
        raise Refused(f"model {base.name} {base.version} is {base.state}, no champion")
    if by.bot or not comment.strip():
        raise Forbidden(f"{by.subject} may not declare a policy", "a person does, with a comment")
    kept = [word for word in read_standing(base, desk.trusted) if word.rails == rails]
    held = [one for one in desk.needs if one in by.roles and role in (None, one)]
    free = [one for one in held if one not in {word.role for word in kept}]
    if not free or any(word.declared_by == by.subject for word in kept):
        raise Forbidden(
            f"{by.subject} may not declare this policy",
            f"it needs another person for each of {', '.join(desk.needs)}",
        )
    word = Standing(
        base.name, base.version, base.bundle_digest, rails, free[0], desk.needs,
        by.subject, comment, desk.now, desk.now + timedelta(days=desk.valid_days),
    )  # fmt: skip
    sealed = [_sealed(one, desk.key) for one in (*kept, word)]
    changed = replace(base, facts={**base.facts, STANDING: sealed})
    detail = {**evidence_of(changed), "rails": msgspec.to_builtins(rails), "role": word.role}
    desk.models.save(changed, by.subject, "model:retraining-allowed", comment, detail)
    return changed


def _sealed(word: Standing, key: SigningKey) -> dict[str, Any]:
    return {
        "word": msgspec.to_builtins(word),
        "seal": seal(key, PURPOSE, word.encode()).decode(),
    }


def read_standing(base: ModelRecord, trusted: TrustedKeys) -> list[Standing]:
    """The words for a policy on this version. Raises `Corrupt` or `Refused` for a forged one."""
    words = []
    for entry in base.facts.get(STANDING) or ():
        try:
            word = msgspec.convert(entry["word"], Standing)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise Corrupt("the standing policy cannot be read", str(error)) from error
        verify(str(entry.get("seal", "")).encode(), PURPOSE, word.encode(), trusted)
        if (word.model, word.base, word.bundle_digest) != (
            base.name,
            base.version,
            base.bundle_digest,
        ):
            raise Refused("the standing policy is about another version")
        words.append(word)
    return words


def approve_retrained(found: Retrained, by: Principal, desk: Desk) -> ModelRecord:
    """Approve a retrained version by the policy on its base; `by` only asks, and may be a bot.

    Raises `Refused` with every guard rail that it breaks.
    """
    check_report(found.record, found.report)
    words = read_standing(found.base, desk.trusted)
    broken = [*_missing_words(words, found, desk), *broken_rails(found, words)]
    if broken:
        raise Refused(
            f"{found.record.name} {found.record.version} does not pass by policy",
            "; ".join(broken),
            "have it approved by persons",
        )
    policy = digest([msgspec.to_builtins(word) for word in words])
    given = [
        Approval(
            found.record.name, found.record.version, found.record.bundle_digest,
            found.report.digest, found.report.profile_digest, word.role, desk.needs,
            word.declared_by, f"by policy: {word.comment}", desk.now,
            min(word.expires_at, desk.now + timedelta(days=desk.valid_days)), policy,
        )
        for word in words
    ]  # fmt: skip
    marked = replace(found.record, facts={**found.record.facts, BASE: found.base.version})
    comment = f"retrained from {found.base.version}"
    return keep_words(marked, given, by.subject, comment, desk)


def _missing_words(words: Sequence[Standing], found: Retrained, desk: Desk) -> list[str]:
    absent = sorted(set(desk.needs) - {word.role for word in words})
    wrong = [f"no policy of {role} is declared on {found.base.version}" for role in absent]
    wrong += [
        f"the word of {word.declared_by} expired" for word in words if desk.now > word.expires_at
    ]
    asked = {found.record.created_by, found.report.requested_by}
    wrong += [
        f"{word.declared_by} packaged or gated it" for word in words if word.declared_by in asked
    ]
    return wrong


def broken_rails(found: Retrained, words: Sequence[Standing]) -> list[str]:
    """Every guard rail that a retrained version breaks, a sentence each. Pure."""
    rails = words[0].rails if words else Rails()
    return [
        *_other_pipeline(found.manifest, found.base_manifest),
        *_other_comparison(found, rails),
        *_other_resources(found.report, found.base_report, rails),
        *(
            [f"{found.earlier} versions passed already, allowed {rails.max_versions}"]
            if found.earlier >= rails.max_versions
            else []
        ),
    ]


def _other_pipeline(new: Manifest, base: Manifest) -> list[str]:
    """What must be the same: everything that a person read when the base was approved."""
    same = {
        "task": (new.task, base.task),
        "model format": (new.model.format, base.model.format),
        "model options": (dict(new.model.options), dict(base.model.options)),
        "signature": (new.signature, base.signature),
        "feature service": (new.service, base.service),
        "requirements": (new.requirements, base.requirements),
        "training code": (_pipeline_files(new), _pipeline_files(base)),
        "features trained on": (
            new.trained_on and new.trained_on.features,
            base.trained_on and base.trained_on.features,
        ),
    }
    wrong = [f"another {name}" for name, (a, b) in same.items() if a != b]
    return wrong if new.code else [*wrong, "no training code"]


def _pipeline_files(manifest: Manifest) -> dict[str, str]:
    names = {*manifest.code, *([manifest.lock] if manifest.lock else [])}
    return {entry.name: entry.sha256 for entry in manifest.files if entry.name in names}


def _other_comparison(found: Retrained, rails: Rails) -> list[str]:
    report, champion = found.report, found.champion
    wrong = [] if report.policy == found.base_report.policy else ["another gate policy"]
    if champion is None or report.data.get("incumbent") != champion.bundle_digest:
        return [*wrong, "it was not compared with the champion"]
    if found.base.version not in (champion.version, champion.facts.get(BASE)):
        wrong.append(f"the champion does not descend from {found.base.version}")
    losses = [
        -float(check.numbers["difference"])
        for check in report.checks
        if check.id in ("better.auc", "better.accuracy", "better.mae", "better.rmse")
        and "incumbent" in check.numbers
    ]
    if not losses:
        wrong.append("its metric was not measured against the champion's")
    wrong += [
        f"worse by {loss:.4f}, allowed {rails.max_loss}" for loss in losses if loss > rails.max_loss
    ]
    return wrong


def _other_resources(report: GateReport, base: GateReport, rails: Rails) -> list[str]:
    new, old = report.resources, base.resources
    if new is None or old is None:
        return ["no resource profile to compare"]
    memory = new.memory_limit_bytes / old.memory_limit_bytes
    spent = new.measured.cpu_seconds_per_prediction
    cpu = spent / max(old.measured.cpu_seconds_per_prediction, 1e-9)
    wrong = []
    if memory > rails.max_memory_ratio:
        wrong.append(f"{memory:.2f} times the memory, allowed {rails.max_memory_ratio}")
    if cpu > rails.max_cpu_ratio:
        wrong.append(f"{cpu:.2f} times the processor time, allowed {rails.max_cpu_ratio}")
    return wrong
