"""Findings as GitLab's code quality report, for annotations on the lines of a merge request.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from collections.abc import Sequence
from typing import Any

from registry.core.findings import Finding
from registry.kernel.canonical import digest

SEVERITIES = {"error": "blocker", "warning": "minor", "notice": "info"}


def code_quality(findings: Sequence[Finding], root: str) -> list[dict[str, Any]]:
    """An entry for each finding that has a place. Paths are relative to the checkout: `root` and
    the file. A finding keeps its fingerprint when its line moves."""
    return [_entry(finding, root) for finding in findings if finding.location.file]


def _entry(finding: Finding, root: str) -> dict[str, Any]:
    hint = f" {finding.hint}." if finding.hint else ""
    path = f"{root}/{finding.location.file}"
    return {
        "description": f"{finding.message}.{hint}",
        "check_name": finding.rule,
        "fingerprint": digest([finding.rule, finding.subject, path, finding.message]),
        "severity": SEVERITIES[finding.severity],
        "location": {"path": path, "lines": {"begin": max(1, finding.location.line)}},
    }
