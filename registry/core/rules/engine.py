"""Runs the rules over the evidence, and decides severity by configuration and waivers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_args

from registry.core.findings import Finding, Severity
from registry.core.questions import settled
from registry.core.rules import (
    alike,
    computed,
    data,
    lifecycle,
    meaning,
    services,
    sources,
    sunsets,
    words,
)
from registry.core.rules.base import RULES, Evidence, Hit, Rule, gather
from registry.core.similarity.likeness import pair_of
from registry.kernel.errors import Invalid, nearest_names

FAMILIES = (meaning, alike, lifecycle, sunsets, services, words, sources, computed, data)
OFF = "off"


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's word that a finding is accepted until a date. `expires` is aware UTC."""

    rule: str
    subject: str
    reason: str
    owner: str
    expires: datetime


def all_rules() -> tuple[Rule, ...]:
    """Every rule, by id."""
    return tuple(RULES[id] for id in sorted(RULES))


def asking_severities(chosen: Mapping[str, str]) -> dict[str, Severity]:
    """The severity in force of each rule whose findings may ask; none of those turned off."""
    asking = (alike.NEAR, alike.IN_REVIEW)
    found = {id: chosen.get(id, RULES[id].severity) for id in asking}
    return {id: s for id, s in found.items() if s in get_args(Severity)}  # type: ignore[misc]


def read_severities(table: Mapping[str, Any]) -> Mapping[str, str]:
    """`[rules]` of fieldhouse.toml: a rule's id to error, warning, notice or off."""
    known = (*get_args(Severity), OFF)
    for id, severity in table.items():
        if id not in RULES:
            near = ", ".join(nearest_names(id, RULES))
            raise Invalid(f"[rules] names {id!r}, which is no rule", f"nearest: {near}")
        if severity not in known:
            raise Invalid(f"[rules] {id} = {severity!r}", f"known: {', '.join(known)}")
    return dict(table)


def judge(
    evidence: Evidence,
    severities: Mapping[str, str] | None = None,
    waivers: Iterable[Waiver] = (),
) -> tuple[Finding, ...]:
    """All findings at once, most severe first; waived ones become notices that say so."""
    evidence = gather(evidence)
    chosen = severities or {}
    accepted = {(w.rule, w.subject): w for w in waivers}
    findings = [
        _waived(_asked(_finding(rule, hit, chosen), evidence), accepted, evidence.now)
        for rule in all_rules()
        if chosen.get(rule.id) != OFF
        for hit in rule.check(evidence)
    ]
    order = {"error": 0, "warning": 1, "notice": 2}
    return tuple(sorted(findings, key=lambda f: (order[f.severity], f.rule, f.subject, f.message)))


def _finding(rule: Rule, hit: Hit, chosen: Mapping[str, str]) -> Finding:
    severity: Any = chosen.get(rule.id, rule.severity)
    return Finding(
        rule=rule.id,
        strictness=rule.strictness,
        severity=severity,
        message=hit.message,
        subject=hit.subject,
        location=hit.location,
        hits=tuple(str(reader) for reader in hit.readers),
        hint=hit.hint,
        likeness=hit.likeness,
    )


def _asked(finding: Finding, evidence: Evidence) -> Finding:
    if finding.likeness is None:
        return finding
    answer = evidence.answers.get(pair_of(*finding.likeness.keys))
    return settled(finding, answer, finding.severity)


def _waived(finding: Finding, accepted: Mapping[tuple[str, str], Waiver], now: datetime) -> Finding:
    waiver = accepted.get((finding.rule, finding.subject))
    if waiver is None or finding.severity == "notice" or finding.asks:
        return finding
    if waiver.expires <= now:
        lapsed = (
            f"{finding.message} (its waiver by {waiver.owner} expired {waiver.expires:%Y-%m-%d})"
        )
        return replace(finding, message=lapsed)
    said = f"{finding.message} (waived by {waiver.owner} until {waiver.expires:%Y-%m-%d}: "
    message = f"{said}{waiver.reason})"
    return replace(finding, severity="notice", message=message, waived_by=waiver.owner)
