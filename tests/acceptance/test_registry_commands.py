"""The registry's commands as users meet them, on a small repository with every kind of view.

One project is brought to its first apply; each test works on a copy of it. What was loaded once is
kept by the digest of its files, so only a repository that changed imports Feast.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from fieldhouse.cli import main
from tests.builders import Ran, write_files

TOML = """
[project]
namespace = "trains"

[feast]
sync = false
"""
FILES = {
    "fieldhouse.toml": TOML,
    "feature_repo/entities.py": """
        from feast import Entity, ValueType

        line = Entity(name="line", join_keys=["line_id"], value_type=ValueType.STRING)
        """,
    "feature_repo/lines/delays.py": """
        from datetime import timedelta

        from entities import line
        from feast import FeatureView, Field
        from feast.types import Float64, Int64

        from fieldhouse import SqlSource, governed

        arrivals = SqlSource(
            name="arrivals",
            timestamp_field="hour",
            query="SELECT line_id, hour, AVG(delay) AS mean_delay, COUNT(*) AS trains "
            "FROM stops GROUP BY line_id, hour",
        )
        line_delays = FeatureView(
            name="line_delays",
            entities=[line],
            source=arrivals,
            ttl=timedelta(days=1),
            tags=governed(owner="rail@x.example", state="production", unit="minute"),
            schema=[
                Field(name="mean_delay", dtype=Float64, description="Mean delay of the hour."),
                Field(
                    name="trains",
                    dtype=Int64,
                    description="Trains of the hour.",
                    tags=governed(unit="1"),
                ),
            ],
        )
        """,
    "feature_repo/lines/place.py": """
        from datetime import timedelta

        from entities import line
        from feast import FeatureView, Field, FileSource
        from feast.types import Float64

        from fieldhouse import governed

        places = FileSource(name="places", path="places.parquet", timestamp_field="known_from")
        line_place = FeatureView(
            name="line_place",
            entities=[line],
            source=places,
            ttl=timedelta(days=4000),
            tags=governed(owner="maps@x.example", state="production", unit="kilometer"),
            schema=[Field(name="length", dtype=Float64, description="Length of the line.")],
        )
        """,
    "feature_repo/lines/crowd.py": """
        from datetime import timedelta

        from entities import line
        from feast import FeatureView, Field, PushSource
        from feast.types import Int64

        from fieldhouse import SqlSource, governed

        counted = SqlSource(
            name="counted", timestamp_field="at", query="SELECT line_id, at, people FROM counts"
        )
        line_crowd = FeatureView(
            name="line_crowd",
            entities=[line],
            source=PushSource(name="crowd", batch_source=counted),
            ttl=timedelta(hours=2),
            tags=governed(owner="rail@x.example", state="production", unit="1"),
            schema=[Field(name="people", dtype=Int64, description="People on board.")],
        )
        """,
    "feature_repo/lines/comfort.py": """
        from feast import Field
        from feast.on_demand_feature_view import on_demand_feature_view
        from feast.types import Float64
        from lines.crowd import line_crowd
        from lines.place import line_place

        from fieldhouse import governed

        @on_demand_feature_view(
            sources=[line_crowd, line_place],
            mode="python",
            schema=[Field(name="density", dtype=Float64, description="People by kilometer.")],
            tags=governed(owner="rail@x.example", state="production", unit="1"),
        )
        def comfort(inputs):
            pairs = zip(inputs["people"], inputs["length"])
            return {"density": [n / l if n is not None and l else None for n, l in pairs]}
        """,
    "feature_repo/services.py": """
        from feast import FeatureService
        from lines.comfort import comfort
        from lines.delays import line_delays

        from fieldhouse import governed

        board = FeatureService(
            name="board",
            description="What the board shows.",
            features=[line_delays, comfort],
            tags=governed(owner="rail@x.example", state="production"),
        )
        """,
}
DELAYS = "feature_repo/lines/delays.py"
DELAYS_AT_FIRST = dedent(FILES[DELAYS])
MEDIAN = ("AVG(delay)", "MEDIAN(delay)")


@dataclass
class Project:
    """A project's folder, the tokens of its people, and the command run in it."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, by: str = "") -> Ran:
        """Run one command in this process, as somebody if asked."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
        if by:
            kept["FIELDHOUSE_AUTH_TOKEN"] = self.tokens[by]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
            for name in [n for n in os.environ if n.startswith("FIELDHOUSE_")]:
                patch.delenv(name)
            for name, value in kept.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(err))
            code = main(list(words))
        return Ran(code, out.getvalue(), err.getvalue())

    def edit(self, file: str, before: str, after: str) -> None:
        path = self.folder / file
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def land(self) -> str:
        """Propose, approve and apply what the folder says; gives the digest."""
        proposed = self.run("propose", "--json", by="ci")
        assert proposed.code == 0, proposed.err
        digest = str(proposed.json["digest"])
        assert self.run("approve", digest, by="bea").code == 0
        assert self.run("apply", digest, by="ops").code == 0
        return digest


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first apply."""
    project = Project(write_files(tmp_path_factory.mktemp("trains"), FILES))
    made = project.run("token", "create", "ada", "--role", "admin", "--json")
    project.tokens["ada"] = made.json["token"]
    people = {
        "ci": ["--role", "author", "--bot"],
        "bea": ["--role", "steward", "--role", "author"],
        "ops": ["--role", "operator"],
        "eve": ["--role", "author"],
    }
    for name, roles in people.items():
        made = project.run("token", "create", name, *roles, "--json", by="ada")
        project.tokens[name] = made.json["token"]
    project.land()
    return project


@pytest.fixture
def project(first: Project, tmp_path: Path) -> Project:
    """A copy that the test may change."""
    folder = tmp_path / "project"
    shutil.copytree(first.folder, folder, ignore=shutil.ignore_patterns("cache"))
    kept = first.folder / ".fieldhouse" / "cache"
    (folder / ".fieldhouse" / "cache").symlink_to(kept)  # so that no two tests load the same
    return Project(folder, first.tokens)


def test_a_sound_repository_passes_its_check(project: Project) -> None:
    said = project.run("check")
    assert (said.code, said.out) == (0, "0 errors, 0 warnings, 0 notices\n")


def test_a_clean_plan_says_so(project: Project) -> None:
    said = project.run("plan")
    assert said.code == 0
    assert "no changes: trains is as the registry has it" in said.out
    assert project.run("plan", "--detailed-exitcode").code == 0


def median(project: Project) -> None:
    """The mean becomes a median, and a unit is gone as well."""
    project.folder.joinpath(DELAYS).write_text(DELAYS_AT_FIRST)
    project.edit(DELAYS, *MEDIAN)
    project.edit(DELAYS, 'tags=governed(unit="1"),', "")
    project.edit("feature_repo/lines/place.py", ', unit="kilometer"', "")


@pytest.fixture
def changed(project: Project) -> Project:
    """Nobody acknowledged the new meaning."""
    median(project)
    return project


def test_a_changed_meaning_is_refused_in_text_with_both_expressions_and_its_readers(
    changed: Project,
) -> None:
    said = changed.run("plan")
    assert said.code == 1
    assert "~ feature line_delays:mean_delay @2 (meaning)" in said.out
    assert "AVG(stops.delay)" in said.out
    assert "MEDIAN(stops.delay)" in said.out
    assert "read by service board" in said.out
    assert "error [meaning-without-version] lines/delays.py:" in said.out
    assert "add governed(version=2)" in said.out


def test_a_plan_as_json_holds_changes_findings_and_its_digest(changed: Project) -> None:
    said = changed.run("plan", "--format", "json")
    assert said.code == 1
    assert said.json == changed.run("plan", "--json").json
    names = {(c["object"], c["name"], c["aspect"]) for c in said.json["plan"]["changes"]}
    assert ("feature", "line_delays:mean_delay", "meaning") in names
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", said.json["plan"]["digest"])
    error = next(f for f in said.json["findings"] if f["severity"] == "error")
    assert error["hits"] == ["service board"]


def test_a_plan_as_markdown_is_a_pull_requests_comment(changed: Project) -> None:
    said = changed.run("plan", "--format", "markdown").out
    assert said.startswith("### Feature plan: refused\n")
    assert "**meaning-without-version** (lines/delays.py:" in said
    assert said.count("<details>") == said.count("</details>") == 1


def test_findings_as_sarif_stand_on_the_lines_that_they_speak_of(changed: Project) -> None:
    said = changed.run("check", "--format", "sarif")
    assert said.code == 1
    log = said.json
    assert (log["version"], "sarif-2.1.0" in log["$schema"]) == ("2.1.0", True)
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["tool"]["driver"]["name"] == "fieldhouse"
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        (place,) = result["locations"]
        where = place["physicalLocation"]
        text = (changed.folder / where["artifactLocation"]["uri"]).read_text().splitlines()
        name = result["properties"]["subject"].split(":")[-1]
        assert f'"{name}"' in "\n".join(text[where["region"]["startLine"] - 1 :][:3])


def reword(project: Project) -> None:
    project.edit(DELAYS, "Mean delay of the hour.", "Mean delay of the trains of the hour.")


def test_detailed_exit_codes_tell_changes_from_refusals(project: Project) -> None:
    reword(project)
    assert project.run("plan").code == 0
    assert project.run("plan", "--detailed-exitcode").code == 2
    median(project)
    assert project.run("plan", "--detailed-exitcode").code == 1


def test_a_plan_against_a_revision_shows_what_the_branch_changes(project: Project) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@x.example"]
        subprocess.run(["git", *who, *words], cwd=project.folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", "fieldhouse.toml", "feature_repo")
    git("commit", "-q", "-m", "the first")
    assert project.run("plan", "--base", "HEAD", "--detailed-exitcode").code == 0
    median(project)
    said = project.run("plan", "--base", "HEAD")
    assert said.code == 1
    assert "~ feature line_delays:mean_delay @2 (meaning)" in said.out
    assert project.run("plan", "--base", "nothing").code == 2


def test_who_proposes_does_not_approve_and_nobody_applies_unapproved(project: Project) -> None:
    project.edit(DELAYS, *MEDIAN)
    project.edit(DELAYS, 'description="Mean delay of the hour."',
                 'description="Median.", tags=governed(version=2)')  # fmt: skip
    digest = project.run("propose", "--json", "--reason", "robust", by="bea").json["digest"]
    refused = project.run("approve", digest, by="bea")
    assert refused.code == 1
    assert "who proposes never approves" in refused.err
    early = project.run("apply", digest, by="ops")
    assert (early.code, "is not approved" in early.err) == (1, True)
    assert project.run("approve", digest, by="eve").code == 1
    assert project.run("apply", digest, by="eve").code == 1
    assert project.run("apply", digest).code == 1


def test_a_rejected_proposal_is_not_applied(project: Project) -> None:
    reword(project)
    digest = project.run("propose", "--json", by="ci").json["digest"]
    assert project.run("reject", digest, "--reason", "why?", by="bea").code == 0
    assert project.run("apply", digest, by="ops").code == 1


def test_an_apply_repeated_changes_nothing(project: Project) -> None:
    (entry,) = [e for e in exported(project) if e["event"]["action"] == "proposal:applied"]
    again = project.run("apply", entry["event"]["subject"], "--json", by="ops")
    assert again.code == 0
    assert again.json == {"digest": entry["event"]["subject"], "changed": False, "number": 1}


def exported(project: Project) -> list[dict[str, dict[str, str]]]:
    return [json.loads(line) for line in project.run("audit", "export").out.splitlines()]


def test_show_lists_features_views_and_services(project: Project) -> None:
    rows = project.run("show", "--json").json
    assert [row["feature"] for row in rows] == [
        "comfort:density@1",
        "line_crowd:people@1",
        "line_delays:mean_delay@1",
        "line_delays:trains@1",
        "line_place:length@1",
    ]
    (whole,) = project.run("show", "line_delays:mean_delay", "--json").json
    assert whole["readers"] == ["service board"]
    assert project.run("show", "board", "--json").json["owner"] == "rail@x.example"
    missing = project.run("show", "line_delay")
    assert (missing.code, "line_delays" in missing.err) == (1, True)


def test_lineage_goes_to_the_tables_and_to_the_readers(project: Project) -> None:
    (row,) = project.run("lineage", "line_delays:mean_delay", "--json").json
    assert row == {
        "feature": "line_delays:mean_delay@1",
        "tables": ["stops"],
        "readers": ["service board"],
    }
    (pushed,) = project.run("lineage", "line_crowd:people", "--json").json
    assert pushed["tables"] == ["counts"]


def test_the_audit_says_who_did_what_and_what_was_live_then(project: Project) -> None:
    events = exported(project)
    actions = [e["event"]["action"] for e in events]
    opened, applied = (actions.index(f"proposal:{w}") for w in ("opened", "applied"))
    assert opened < actions.index("proposal:approved") < applied
    rows = project.run("audit", "show", "--at", events[-1]["event"]["at"], "--json").json
    mean = next(r for r in rows if r["feature"] == "line_delays:mean_delay@1")
    assert (mean["proposed_by"], mean["applied_by"]) == ("ci", "ops")
    before = project.run("audit", "show", "--at", "2001-01-01T00:00:00Z", "--json")
    assert before.json == []
    assert project.run("audit", "show", "--at", "yesterday").code == 1


def test_a_whole_chain_verifies_and_a_cut_one_does_not(project: Project) -> None:
    import sqlite3

    assert project.run("audit", "verify").code == 0
    connection = sqlite3.connect(project.folder / ".fieldhouse" / "registry.db")
    with connection:
        connection.execute("DELETE FROM audit WHERE sequence > 3")
    connection.close()
    said = project.run("audit", "verify")
    assert (said.code, "cut off" in said.out) == (1, True)


def test_tokens_are_listed_without_themselves_and_revoked(project: Project) -> None:
    rows = project.run("token", "list", "--json", by="ada").json
    assert {row["subject"] for row in rows} == {"ada", "ci", "bea", "ops", "eve"}
    assert not any(token in json.dumps(rows) for token in project.tokens.values())
    eve = next(row["id"] for row in rows if row["subject"] == "eve")
    assert project.run("token", "revoke", eve, by="ada").code == 0
    said = project.run("propose", by="eve")
    assert (said.code, "was revoked" in said.err) == (1, True)
    assert project.run("token", "list", by="bea").code == 1
    assert project.run("token", "create", "x", "--role", "king", by="ada").code == 2


def test_commands_that_judge_no_definitions_leave_the_warehouse_alone(project: Project) -> None:
    (project.folder / "warehouse_data").mkdir(exist_ok=True)
    (project.folder / "warehouse_data" / "torn.parquet").write_bytes(b"no Parquet")
    for words in (["token", "list"], ["show"], ["audit", "verify"], ["proposals", "list"]):
        assert project.run(*words, by="ada").code == 0, words
    assert project.run("check").code == 1


def test_a_feature_goes_into_quarantine_and_comes_back(project: Project) -> None:
    gone = project.run("lifecycle", "quarantine", "line_delays:mean_delay",
                       "--reason", "clock fault", by="bea")  # fmt: skip
    assert gone.code == 0, gone.err
    (row,) = project.run("show", "line_delays:mean_delay", "--json").json
    assert row["state"] == "quarantined"
    project.run("lifecycle", "release", "line_delays:mean_delay", "--reason", "mended", by="bea")
    (row,) = project.run("show", "line_delays:mean_delay", "--json").json
    assert row["state"] == "production"
    newest = project.run("lifecycle", "retire", "line_delays:mean_delay@1", "--reason", "x",
                         by="bea")  # fmt: skip
    assert (newest.code, "is the newest version" in newest.err) == (1, True)


@pytest.mark.slow
def test_versions_from_first_to_last(project: Project) -> None:
    project.edit(DELAYS, *MEDIAN)
    project.edit(DELAYS, 'description="Mean delay of the hour."',
                 'description="Median.", tags=governed(version=2)')  # fmt: skip
    project.land()
    rows = project.run("show", "line_delays:mean_delay", "--json").json
    assert [(r["feature"], r["readers"]) for r in rows] == [
        ("line_delays:mean_delay@1", ["service board"]),
        ("line_delays:mean_delay@2", []),
    ]
    words = ("lifecycle", "retire", "line_delays:mean_delay@1", "--reason", "all moved")
    early = project.run(*words, by="bea")
    assert (early.code, "is still read" in early.err) == (1, True)
    project.edit("feature_repo/services.py", "features=[line_delays, comfort]",
                 'features=["line_delays:mean_delay@2", comfort]')  # fmt: skip
    project.land()
    assert project.run(*words, by="bea").code == 0
    rows = project.run("show", "line_delays:mean_delay", "--json").json
    assert [r["state"] for r in rows] == ["retired", "production"]
    assert project.run("audit", "verify").code == 0


@pytest.mark.parametrize(
    "words",
    [
        "check",
        "plan",
        "show",
        "show line_delays:mean_delay",
        "lineage line_delays:mean_delay",
        "audit show",
        "audit verify",
        "token list",
    ],
)
def test_a_command_that_needs_no_reload_imports_no_feast(project: Project, words: str) -> None:
    code = (
        "import json, sys; from fieldhouse.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted({n.partition('.')[0] for n in sys.modules})]))"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words.split()],
        cwd=project.folder,
        env={
            **os.environ,
            "FIELDHOUSE_AUTH_TOKEN": project.tokens["ada"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    code_given, modules = json.loads(ran.stdout.splitlines()[-1])
    assert code_given == 0, ran.stderr
    assert {"feast", "pandas", "pyspark"} & set(modules) == set()


@pytest.mark.slow
def test_feasts_command_works_on_what_was_applied_and_an_interrupted_sync_is_mended(
    project: Project,
) -> None:
    project.edit("fieldhouse.toml", "sync = false", "sync = true")
    (entry,) = [e for e in exported(project) if e["event"]["action"] == "proposal:applied"]
    digest = entry["event"]["subject"]
    home = project.folder / ".fieldhouse" / "feast"
    home.mkdir()
    (home / "registry.db").write_bytes(b"")  # as when the first sync was killed at its start
    said = project.run("apply", digest, by="ops")
    assert said.code == 0, said.err
    assert "Feast's registry holds the same 4 views" in said.err
    program = Path(sys.executable).with_name("feast")
    listed = subprocess.run(
        [program, "-c", str(home), "feature-views", "list"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {"line_delays", "line_place", "line_crowd"} <= set(listed.split())
