"""A merge request of GitLab taken through review by deploy/gitlab.py, on real git, over HTTP."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.git_forge import COMMAND, ROOT, Forge, open_forge, view
from tests.gitlab_api import MORNING, TOKEN, GitLab, serving, user

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with open_forge(tmp_path_factory.mktemp("forge")) as made:
        yield made


@pytest.fixture(scope="module")
def definitions(forge: Forge) -> tuple[str, bytes]:
    head = forge.commit("ada", view(), branch="delays")
    return head, forge.read("ada", head).read_bytes()


@pytest.fixture
def gitlab(definitions: tuple[str, bytes]) -> Iterator[GitLab]:
    with serving(GitLab(*definitions)) as made:
        yield made


def reviewed(forge: Forge, gitlab: GitLab, folder: Path) -> str:
    """Run the script as the scheduled pipeline does; gives the status that it set."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "gitlab.py"), "review"],
        cwd=forge.folder / "base", capture_output=True, text=True, check=False,
        env={
            "PATH": os.environ["PATH"], "HOME": str(folder), "FIELDHOUSE": str(COMMAND),
            "CI_API_V4_URL": gitlab.address, "CI_PROJECT_ID": "5", "CI_DEFAULT_BRANCH": "main",
            "CI_PROJECT_PATH": "shop/features", "FORGE_TOKEN": TOKEN,
            "FIELDHOUSE_REGISTRY_URL": f"sqlite:///{forge.folder / 'registry.db'}",
            "FIELDHOUSE_AUTH_TOKEN": forge.tokens["recorder"],
            "FIELDHOUSE_FORGE_REPOSITORY": "shop/features",
        },
    )  # fmt: skip
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
    return str(gitlab.statuses[-1]["state"])


def test_one_note_is_kept_up_to_date_and_an_approval_of_the_head_counts(
    forge: Forge, gitlab: GitLab, tmp_path: Path
) -> None:
    assert reviewed(forge, gitlab, tmp_path) == "running"
    (note,) = gitlab.notes
    assert "- [ ] an approval of `grace`, as a steward of air" in note["body"]
    gitlab.approve("grace-h")
    assert reviewed(forge, gitlab, tmp_path) == "success"
    (note,) = gitlab.notes
    assert "### Features: ready to merge" in note["body"]
    gitlab.approvals.clear()  # withdrawn
    assert reviewed(forge, gitlab, tmp_path) == "running"


def test_an_approval_from_before_the_head_was_pushed_does_not_count(
    forge: Forge, gitlab: GitLab, tmp_path: Path
) -> None:
    gitlab.approve("grace-h", MORNING)
    assert reviewed(forge, gitlab, tmp_path) == "running"
    assert "a review of `grace-h` does not count: it is of commit" in gitlab.notes[-1]["body"]


def test_whoever_pushed_to_the_branch_does_not_approve_it(
    forge: Forge, gitlab: GitLab, tmp_path: Path
) -> None:
    gitlab.number = 9
    gitlab.head = forge.commit("ada", view("max"), branch="max")
    gitlab.definitions = forge.read("ada", gitlab.head).read_bytes()
    gitlab.note(user("grace-h"), "added 1 commit\n\n<ul><li>median</li></ul>", system=True)
    gitlab.approve("grace-h")
    assert reviewed(forge, gitlab, tmp_path) == "running"
    assert "grace is behind these changes" in gitlab.notes[-1]["body"]


def test_the_pipelines_secrets_are_in_jobs_of_the_default_branch_alone() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "gitlab-ci.yml").read_text())
    for name, job in jobs.items():
        from_requests = "merge_request_event" in yaml.safe_dump(job.get("rules", []))
        assert from_requests is (name == "definitions")
        if from_requests:
            assert "TOKEN" not in yaml.safe_dump(job)
            assert "pull-request.sh read" in yaml.safe_dump(job)
