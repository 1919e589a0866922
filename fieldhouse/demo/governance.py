"""Steps 1 and 2: the repository goes through review, and a copy of a feature does not."""

import shutil
import tempfile
from pathlib import Path

from fieldhouse.demo.people import People
from fieldhouse.demo.stage import Stage
from registry.adapters.feast_loader import load_repository
from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compile import compile_repository
from registry.core.compiled import Compiled
from registry.core.duplication import Duplicate
from registry.core.findings import Finding
from registry.kernel.canonical import short
from registry.kernel.errors import Refused
from registry.ports import Principal
from registry.reports.text import counts_text, summary
from registry.service.apply import apply
from registry.service.check import CheckFailed, check
from registry.service.propose import approve, propose
from registry.settings import HOME, NAMESPACE, REPOSITORY
from warehouse.engines.port import Engine

COPYCAT = Path(__file__).parent / "copycat.py.txt"


def open_governed(stage: Stage, engine: Engine) -> tuple[SqlRegistry, People]:
    """An empty registry and tokens for its people."""
    tables = {name: frozenset(schema.names) for name, schema in engine.tables().items()}
    registry = open_registry(stage.settings, tables)
    admin = registry.issue_token(None, Principal("root", frozenset({"admin"})))
    people = People(
        author=registry.issue_token(admin, Principal("ada", frozenset({"author"}))),
        steward=registry.issue_token(admin, Principal("grace", frozenset({"steward", "owner"}))),
        reliability=registry.issue_token(admin, Principal("radia", frozenset({"reliability"}))),
        operator=registry.issue_token(admin, Principal("ci", frozenset({"operator"}), bot=True)),
    )
    return registry, people


def load(stage: Stage, folder: Path | None = None) -> Compiled:
    """The repository's definitions, compiled; raises `Refused` when they do not load."""
    settings = stage.settings
    result = load_repository(
        folder or settings.path(REPOSITORY),
        str(settings.get(NAMESPACE)),
        cache=settings.path(HOME) / "cache",
    )
    if result.repository is None:
        raise Refused("the definitions do not load", result.findings[0].message)
    return compile_repository(result.repository)


def land_repository(stage: Stage, registry: SqlRegistry, people: People) -> None:
    """Check, propose, approve and apply, each by the one whose part it is."""
    compiled = load(stage)
    checked = check(registry.context, compiled)
    stage.say(f"      check    {counts_text(checked.findings)}; {summary(checked.plan)}")
    author = registry.authority(people.author, "author")
    digest = propose(registry.context, compiled, author, "the flights example").proposal.digest
    stage.say(f"      propose  {author.subject} puts forward plan {short(digest)}")
    _show_self_approval(stage, registry, digest, author)
    steward = registry.authority(people.steward, "steward")
    approve(registry.context, digest, steward, "read it whole")
    stage.say(f"      approve  {steward.subject} consents to exactly that plan")
    operator = registry.authority(people.operator, "operator")
    applied = apply(registry.context, digest, compiled, operator)
    views, services = len(applied.published.views), len(applied.published.services)
    stage.say(
        f"      apply    {operator.subject} carries it out: {len(compiled.features)} features, "
        f"{views} views, {services} services, in one transaction"
    )
    domains = {view.domain for view in applied.published.views.values()}
    stage.facts["registry"] = {
        "features": len(compiled.features),
        "domains": sorted(domains),
        "plan": digest,
        "number": applied.published.number,
    }


def _show_self_approval(
    stage: Stage, registry: SqlRegistry, digest: str, author: Principal
) -> None:
    try:
        approve(registry.context, digest, author)
    except Refused as refused:
        stage.say(f"      approve  refused: {refused.asked}; {refused.found}")


def refuse_a_copy(stage: Stage, registry: SqlRegistry, people: People, engine: Engine) -> None:
    """Propose a view that repeats a registered feature under another name, and show the answer."""
    author = registry.authority(people.author, "author")
    with tempfile.TemporaryDirectory(prefix="fieldhouse-copycat-") as scratch:
        folder = Path(scratch) / "feature_repo"
        shutil.copytree(stage.settings.path(REPOSITORY), folder)
        (folder / "marketing").mkdir()
        shutil.copy(COPYCAT, folder / "marketing" / "punctuality.py")
        compiled = load(stage, folder)
    try:
        propose(registry.context, compiled, author, "how punctual an airline is")
    except CheckFailed as failed:
        (finding,) = [f for f in failed.checked.errors if f.rule == "duplicate-definition"]
        _show_refusal(stage, finding)
        _show_values(stage, failed.checked.duplicates[0], compiled, engine)
        stage.facts["refused"] = {"rule": finding.rule, "message": finding.message}
        return
    raise Refused("the copy was not refused", hint="this is a fault of the demo's")


def _show_refusal(stage: Stage, finding: Finding) -> None:
    where = f"{finding.location.file}:{finding.location.line}"
    stage.say(f"      refused [{finding.rule}] {where}")
    for part in finding.message.split(": both are "):
        stage.say(f"        {part}")
    stage.say(f"        → {finding.hint}")


def _show_values(stage: Stage, duplicate: Duplicate, compiled: Compiled, engine: Engine) -> None:
    """A few keys with the newest value of each of the two, read from the warehouse."""
    copy = duplicate.feature
    view, name = duplicate.other.ref.split("/")[1].split("@")[0].split(":")
    (key,) = compiled.views[copy.view].join_keys
    ours, theirs = (
        f"SELECT {key.name}, arg_max({feature}, {time}) AS value FROM ({query}) GROUP BY ALL"
        for feature, time, query in (
            _query(compiled, copy.view, copy.name),
            _query(compiled, view, name),
        )
    )
    table = engine.query(
        f"SELECT {key.name}, a.value AS copy, b.value AS existing "
        f"FROM ({ours}) AS a JOIN ({theirs}) AS b USING ({key.name}) ORDER BY {key.name}"
    )
    stage.say(f"        {key.name:<10} {copy.name:>24} {name:>24}")
    for row in table.slice(0, 3).to_pylist():
        stage.say(f"        {row[key.name]:<10} {row['copy']:>24.6f} {row['existing']:>24.6f}")
    equal = sum(row["copy"] == row["existing"] for row in table.to_pylist())
    stage.say(f"        newest values equal for {equal} of {table.num_rows} keys")


def _query(compiled: Compiled, view: str, feature: str) -> tuple[str, str, str]:
    source = compiled.views[view].source.history
    return feature, source.timestamp_field or "", source.query or f"SELECT * FROM {source.table}"
