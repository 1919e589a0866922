"""Findings as SARIF 2.1.0, for annotations on the lines of a pull request."""

from collections.abc import Sequence
from typing import Any

from registry.core.findings import Finding
from registry.core.rules.engine import all_rules
from registry.core.similarity.likeness import Likeness
from registry.reports.likeness import cut, likeness_lines

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_CHARACTERS = 2000
LEVELS = {"error": "error", "warning": "warning", "notice": "note"}


def sarif(findings: Sequence[Finding], root: str) -> dict[str, Any]:
    """A SARIF log with one run. Paths are relative to the checkout: `root` and the file."""
    driver = {
        "name": "fieldhouse",
        "rules": [{"id": rule.id, "shortDescription": {"text": rule.why}} for rule in all_rules()],
    }
    results = [_result(finding, root) for finding in findings]
    run = {"tool": {"driver": driver}, "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _more(likeness: Likeness) -> str:
    """All that the lines below a finding say elsewhere."""
    said = " ".join(" ".join(line.split()) for line in likeness_lines(likeness))
    return f" {cut(said, MOST_CHARACTERS)}"


def _result(finding: Finding, root: str) -> dict[str, Any]:
    hint = f" {finding.hint}." if finding.hint else ""
    if finding.likeness is not None:
        hint = f"{_more(finding.likeness)}{hint}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}.{hint}"},
        "properties": {"subject": finding.subject, "hits": list(finding.hits)},
    }
    if finding.location.file:
        place = {
            "artifactLocation": {"uri": f"{root}/{finding.location.file}"},
            "region": {"startLine": max(1, finding.location.line)},
        }
        result["locations"] = [{"physicalLocation": place}]
    return result
