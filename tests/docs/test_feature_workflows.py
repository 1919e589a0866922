"""The workflows keep their promise: what a pull request brings runs without secrets."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft7Validator

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".github" / "workflows"
TRUSTED = [
    ("features.yml", "apply"),
    ("features-review.yml", "sample"),
    ("features-review.yml", "review"),
]
UNTRUSTED = [("features.yml", "read"), ("features-review.yml", "compute")]
SAID_BY_OTHERS = re.compile(r"\$\{\{[^}]*(github\.event|github\.head_ref|inputs)[^}]*\}\}")


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return {"on" if key is True else str(key): value for key, value in loaded.items()}


def job(file: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = workflow(file)["jobs"][name]
    return found


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(FOLDER.glob("*.yml")):
        for name, made in workflow(file.name)["jobs"].items():
            yield from ((f"{file.name}:{name}", step) for step in made["steps"])


@pytest.mark.parametrize(("file", "name"), UNTRUSTED)
def test_a_job_that_runs_what_is_proposed_has_no_secret_and_writes_nothing(
    file: str, name: str
) -> None:
    made = job(file, name)
    assert made["permissions"] == {"contents": "read"}
    assert "environment" not in made
    text = yaml.safe_dump(made)
    assert "secrets." not in text
    assert "github.token" not in text
    assert "GITHUB_TOKEN" not in text


@pytest.mark.parametrize(("file", "name"), UNTRUSTED)
def test_it_does_so_through_the_script_which_empties_the_environment(file: str, name: str) -> None:
    runs = [step["run"] for step in job(file, name)["steps"] if "run" in step]
    assert any(f"deploy/pull-request.sh {name}" in run for run in runs)
    script = (ROOT / "deploy" / "pull-request.sh").read_text()
    assert len(re.findall(r"^  env -i ", script, re.MULTILINE)) == len(UNTRUSTED)


def test_values_are_given_to_code_of_this_repositorys_branches_alone() -> None:
    condition = job("features-review.yml", "sample")["if"]
    assert "head_repository.full_name == github.repository" in condition
    assert "vars.FIELDHOUSE_COMPUTE == 'yes'" in condition
    assert job("features-review.yml", "compute")["needs"] == "sample"


@pytest.mark.parametrize("file", ["features.yml", "features-review.yml"])
def test_nothing_is_permitted_unless_a_job_says_so(file: str) -> None:
    assert workflow(file)["permissions"] == {}
    for made in workflow(file)["jobs"].values():
        assert made["permissions"]
        assert made["timeout-minutes"] <= 30


def test_no_workflow_runs_a_pull_requests_code_with_its_bases_secrets() -> None:
    for file in FOLDER.glob("*.yml"):
        assert "pull_request_target" not in workflow(file.name)["on"], file


@pytest.mark.parametrize(("file", "name"), TRUSTED)
def test_a_job_with_secrets_checks_out_no_head(file: str, name: str) -> None:
    made = job(file, name)
    (checkout,) = [s for s in made["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"].get("ref") in (None, "${{ github.event.before }}")
    assert made["environment"] == "registry"


def test_what_is_applied_was_pushed_to_the_base_branch() -> None:
    assert workflow("features.yml")["on"]["push"] == {"branches": ["main"]}
    condition = job("features.yml", "apply")["if"]
    assert "github.event_name == 'push'" in condition
    assert "||" not in condition


def test_a_checkout_leaves_no_token_behind() -> None:
    for where, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, where


def test_text_of_others_never_becomes_a_command() -> None:
    for where, step in steps():
        assert not SAID_BY_OTHERS.search(step.get("run", "")), where


def test_only_the_forges_own_actions_are_used_by_their_major_version() -> None:
    for where, step in steps():
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), where


def test_secrets_reach_only_the_step_or_job_that_needs_them() -> None:
    review = job("features-review.yml", "review")
    having = [s for s in review["steps"] if "secrets." in yaml.safe_dump(s)]
    assert [s["name"] for s in having] == ["Record and comment"]
    assert "secrets." not in yaml.safe_dump(review["env"])


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yml")), ids=lambda file: file.name)
def test_a_workflow_is_one_by_the_published_schema(file: Path) -> None:
    schema = json.loads((ROOT / "tests" / "schemas" / "github-workflow.json").read_text())
    made = Draft7Validator(schema)
    assert [error.message for error in made.iter_errors(workflow(file.name))] == []
    assert not made.is_valid({**workflow(file.name), "permissions": {"contents": "own"}})


def test_the_review_runs_after_the_workflow_that_reads() -> None:
    trigger = workflow("features-review.yml")["on"]["workflow_run"]
    assert trigger["workflows"] == [workflow("features.yml")["name"]]
