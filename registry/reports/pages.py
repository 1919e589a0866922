"""docs/rules.md and docs/lifecycle.md, made from the code so that they cannot be wrong. Pure."""

from collections.abc import Iterator

from registry.core.findings import Strictness
from registry.core.lifecycle import MOVES, mermaid
from registry.core.rules.engine import all_rules

_RULES = """\
# Rules

`fieldhouse check` runs every rule and prints all findings at once; `plan` and `propose` run them
too. A finding of severity error refuses a proposal.

A repository may set the severity of a rule in `fieldhouse.toml` (error, warning, notice or off):

```toml
[rules]
unit-missing = "error"
```

One finding can be waived in `feature_repo/waivers.toml`, where reviewers see it, until a date. It
then becomes a notice that says who waived it and why:

```toml
[[waiver]]
rule = "duplicate-definition"
subject = "punctuality:tardiness"
reason = "the newsletter moves to carrier_performance in March"
owner = "ada@example.com"
expires = 2014-03-31
```

Strictness says what a finding endangers: *meaning* (values become something else under their
readers), *serving* (lookups break or mislead), *training* (sets leak or cannot be rebuilt),
*cosmetic* (people do not find or understand).
"""
_LIFECYCLE = """\
# The life of a feature

Maturity is declared in code, `governed(state="draft" | "production" | "deprecated")`, approved by
review and kept in the registry; removing a feature from the code retires it. Quarantine and release
happen at run time, by a monitor or a steward, and never come from code. States are per feature
version.

| state | training | lookups |
| --- | --- | --- |
| draft | yes, with a notice in the manifest | refused |
| production | yes | yes |
| deprecated | refused unless waived with a reason | yes, with `Deprecation` and `Sunset` headers |
| quarantined | refused | by the feature's staleness policy: last value, default, null, refuse |
| retired | refused, with the replacement's name | 410, with the replacement's name |
"""
_LOADING = """\
## Loading

These come before the rules, when a file of definitions cannot be read. The repository is loaded in
a process of its own, with limits of time and memory, and each finding has its file and line.

| finding | why |
| --- | --- |
| `definition-syntax` | the file is not Python |
| `definition-raises` | it raised an error |
| `definition-invalid` | what it defines cannot be translated |
| `duplicate-name` | two things of one kind have one name |
| `definition-exits` | it ended the process |
| `definition-forks` | it started another process |
| `definition-writes` | it wrote a file |
| `definition-connects` | it opened a connection |
| `definition-prints` | it printed (a warning) |
| `definition-loops` | it did not end in time |
| `definition-memory` | it took too much memory |
| `definition-crashes` | it took the process down |
| `definition-circle` | files import one another in a circle |
| `definition-hides` | a file hides a module that others import |
| `feast-out-of-step` | Feast's own registry could not follow an apply; the next one mends it |
"""
ORDER: tuple[Strictness, ...] = ("meaning", "serving", "training", "cosmetic")


def rules_page() -> str:
    """Every rule by strictness: its id, severity and why."""
    return "\n".join([_RULES, *_rule_tables(), _LOADING])


def _rule_tables() -> Iterator[str]:
    for strictness in ORDER:
        rows = [rule for rule in all_rules() if rule.strictness == strictness]
        yield f"## {strictness.capitalize()}\n"
        yield "| rule | severity | why |\n| --- | --- | --- |"
        yield from (f"| `{rule.id}` | {rule.severity} | {rule.why} |" for rule in rows)
        yield ""


def lifecycle_page() -> str:
    """The states, the diagram of the moves, and what each move needs."""
    rows = [
        f"| {move.letter} | {move.before} | {move.after} | {move.by} | {move.needs} |"
        for move in MOVES
    ]
    table = "\n".join(["| | from | to | at | needs |", "| --- | --- | --- | --- | --- |", *rows])
    return f"{_LIFECYCLE}\n## Moves\n\n```mermaid\n{mermaid()}\n```\n\n{table}\n"
