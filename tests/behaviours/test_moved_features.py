"""A feature that moves to another view, another name or another namespace keeps its history."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.bootstrap import open_registry
from registry.cli.audit import audit
from registry.cli.show import show
from registry.kernel.errors import Gone
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.check import CheckFailed, check
from registry.service.propose import approve, propose
from registry.service.runtime import retire_version
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
WORST = feature("worst_delay")
OLD = "delays:mean_delay"
FIRST = compiled(view(feature("mean_delay"), WORST))
SECOND = compiled(view(feature("mean_delay", version=2), WORST, source=MEDIAN))


@pytest.fixture
def open_one(tmp_path: Path):
    opened = []

    def open_as(namespace):
        folder = tmp_path / namespace
        folder.mkdir(exist_ok=True)
        text = f'[project]\nnamespace = "{namespace}"\n[clock]\ninstant = "2013-10-01T12:00:00Z"\n'
        text += f'[registry]\nurl = "sqlite:///{tmp_path}/r.db"\n'
        (folder / "fieldhouse.toml").write_text(text)
        table = {
            "project": {"namespace": namespace},
            "clock": {"instant": "2013-10-01T12:00:00Z"},
            "registry": {"url": f"sqlite:///{tmp_path}/r.db"},
        }
        opened.append(open_registry(Settings(folder, None, table, {})))
        return opened[-1]

    yield open_as
    for registry in opened:
        registry.database.close()


@pytest.fixture
def registry(open_one):
    """Where mean_delay is at version 2."""
    made = open_one("flights")
    land(made, FIRST)
    land(made, SECOND)
    return made


def land(registry, made):
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    apply(registry.context, digest, made, ADA)


def moved(name="mean_delay", past=OLD, **changes):
    """The feature in a view of its own, beside what is left of the old one."""
    new = view(feature(name, moved_from=past, **changes), name="punctuality", source=MEDIAN)
    return compiled(view(WORST, source=MEDIAN), new)


def test_a_feature_in_another_view_goes_on_with_its_version_and_meaning(registry):
    before = registry.published().views["delays@2"].feature("mean_delay")
    land(registry, moved())
    after = registry.published().view("punctuality").features[0]
    assert (after.version, after.meaning) == (2, before.meaning)


def test_the_old_name_answers_with_the_new_one(registry):
    land(registry, moved())
    with pytest.raises(Gone, match="use punctuality:mean_delay"):
        registry.published().resolve(OLD)


def test_a_move_that_means_something_else_takes_the_next_version_and_says_so(registry):
    other = sql_source(QUERY.replace("avg(delay)", "min(delay)"))
    changed = view(feature("mean_delay", moved_from=OLD), name="punctuality", source=other)
    found = check(registry.context, compiled(view(WORST, source=MEDIAN), changed))
    (move,) = [c for c in found.plan.changes if c.action == "move"]
    assert (move.version, move.acknowledged) == (3, False)
    assert "retired-name-reused" in {f.rule for f in found.errors}


def test_a_feature_kept_beside_its_new_name_is_no_duplicate_and_is_served_with_a_notice(registry):
    sunset = NOON + timedelta(days=9)
    leaving = {"state": "deprecated", "sunset": sunset, "replaced_by": "punctuality:mean_delay"}
    old = view(feature("mean_delay", version=2, **leaving), WORST, source=MEDIAN)
    new = view(feature("mean_delay", moved_from=OLD), name="punctuality", source=MEDIAN)
    land(registry, compiled(old, new))
    kept = registry.published().views["delays@2"].feature("mean_delay")
    assert (kept.state, kept.replaced_by) == ("deprecated", "punctuality:mean_delay")


def test_the_same_beside_it_that_says_no_past_is_a_duplicate(registry):
    old = view(feature("mean_delay", version=2), WORST, source=MEDIAN)
    without = compiled(old, view(feature("mean_delay"), name="punctuality", source=MEDIAN))
    assert "duplicate-definition" in {f.rule for f in check(registry.context, without).errors}


def test_a_move_is_refused_while_something_reads_the_old_name(registry):
    beside = view(feature("mean_delay", version=2), WORST, source=MEDIAN)
    land(registry, compiled(beside, services=(service(OLD, name="late"),)))
    new = view(feature("mean_delay", moved_from=OLD), name="punctuality", source=MEDIAN)
    left = view(WORST, source=MEDIAN)
    reading = (service(OLD, name="late"),)
    with pytest.raises(CheckFailed):
        land(registry, compiled(left, new, services=reading))
    land(registry, compiled(left, new, services=(service("punctuality:mean_delay", name="late"),)))


def test_a_past_that_nobody_knows_is_refused(registry):
    found = check(registry.context, moved(past="delays:nothing"))
    assert "moved-from-unknown" in {f.rule for f in found.errors}


def test_show_and_audit_follow_a_move(registry, tmp_path, monkeypatch):
    land(registry, moved())
    monkeypatch.chdir(tmp_path / "flights")
    run = CliRunner().invoke
    assert "delays:mean_delay" in run(show, ["punctuality:mean_delay"]).stdout
    assert "punctuality:mean_delay" in run(show, [f"{OLD}@2"]).stdout
    told = run(audit, ["show", "--subject", "punctuality:mean_delay", "--json"]).stdout
    assert "feature:move:meaning" in told
    assert "feature:change:meaning" in told


def test_a_feature_moves_to_another_namespace_with_its_version(registry, open_one):
    shop = open_one("shop")
    new = view(feature("mean_delay", moved_from=f"flights/{OLD}"), name="late", source=MEDIAN)
    land(shop, compiled(new, namespace="shop"))
    assert shop.published().view("late").features[0].version == 2
    leaving = {"state": "deprecated", "sunset": NOON, "replaced_by": "shop/late:mean_delay"}
    land(
        registry, compiled(view(feature("mean_delay", version=2, **leaving), WORST, source=MEDIAN))
    )
    retire_version(registry.context, "flights", f"{OLD}@1", BOB, "nobody is left")
    land(registry, compiled(view(WORST, source=MEDIAN)))
    with pytest.raises(Gone, match="use shop/late:mean_delay"):
        registry.published().resolve(OLD)
