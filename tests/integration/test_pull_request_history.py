"""One repository from fork to merge, on real git and through the script that forges run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from registry.bootstrap import SqlRegistry, open_registry
from registry.kernel.settings import read_settings
from registry.ports import Principal
from tests.builders import write_files
from tests.forge import commit, pull_event, review

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "deploy" / "pull-request.sh"
COMMAND = Path(sys.executable).parent / "fieldhouse"
VIEW = """\
from datetime import timedelta
from feast import Entity, FeatureView, Field, ValueType
from feast.types import Float64
from fieldhouse import SqlSource, governed

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING,
                 description="an airline")
delays = FeatureView(
    name="delays", description="how late", entities=[carrier], ttl=timedelta(days=2),
    source=SqlSource(name="delays_of", timestamp_field="known_at",
                     query="SELECT carrier, known_at, {how}(delay) AS delay FROM flights "
                           "GROUP BY carrier, known_at"),
    tags=governed(owner="olga", state="production", sensitivity="internal"),
    schema=[Field(name="delay", dtype=Float64, description="delay of arrivals",
                  tags=governed(unit="minute"{version}))],
)
"""
OWNERS = """\
[domains.air]
owner = "olga"
stewards = ["grace"]

[people]
ada-l = "ada"
grace-h = "grace"
olga-k = "olga"
"""
SETTINGS = '[project]\nnamespace = "flights"\n[forge]\nrepository = "shop/features"\n'
SPY = """\
import os
print(dict(os.environ))
raise RuntimeError(" ".join(f"{k}={v}" for k, v in os.environ.items()))
"""


@dataclass
class Forge:
    """A bare repository, clones of it, and what its API would say."""

    folder: Path
    registry: SqlRegistry
    tokens: dict[str, str] = field(default_factory=dict)

    def git(self, clone: str, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder / clone), *words],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def clone(self, name: str) -> Path:
        subprocess.run(
            ["git", "clone", "-q", str(self.folder / "origin.git"), str(self.folder / name)],
            check=True, capture_output=True,
        )  # fmt: skip
        self.git(name, "config", "user.email", f"{name}@x.y")
        self.git(name, "config", "user.name", name)
        return self.folder / name

    def commit(self, clone: str, files: Mapping[str, str], branch: str = "main") -> str:
        self.git(clone, "checkout", "-q", "-B", branch)
        write_files(self.folder / clone, files)
        self.git(clone, "add", "-A")
        self.git(clone, "commit", "-q", "-m", "features")
        return self.git(clone, "rev-parse", "HEAD")

    def run(self, clone: str, token: str, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "FIELDHOUSE": str(COMMAND),
            "FIELDHOUSE_REGISTRY_URL": f"sqlite:///{self.folder / 'registry.db'}",
            "FIELDHOUSE_AUTH_TOKEN": self.tokens[token],
        }
        return subprocess.run(
            ["sh", str(SCRIPT), *words], cwd=self.folder / clone, env=environ,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def read(self, clone: str, at: str) -> Path:
        file = self.folder / f"{at}.json"
        if not file.exists():
            done = self.run(clone, "operator", "read", at, str(file))
            assert done.returncode == 0, done.stderr
        return file

    def review(self, file: Path, head: str, number: int, *reviews: dict[str, Any]) -> str:
        """Record and comment in the base checkout; gives the state, and `self.comment`."""
        said = {
            "event": pull_event(head, number=number, fork="ada-l/features"),
            "reviews": list(reviews),
            "commits": [commit(head, "ada-l", "ada@x.y")],
        }
        for name, document in said.items():
            (self.folder / f"{name}.json").write_text(json.dumps(document))
        out = self.folder / "out"
        paths = [str(self.folder / f"{name}.json") for name in said]
        self.said = self.run("base", "recorder", "review", str(file), *paths, str(out))
        self.comment = (out / "comment.md").read_text()
        return (out / "state").read_text().strip()

    def apply(self, file: Path) -> subprocess.CompletedProcess[str]:
        return self.run("base", "operator", "apply", str(file))

    def number(self) -> int:
        return self.registry.published().number

    def actions(self) -> list[str]:
        with self.registry.context.store.read() as transaction:
            return [chained.event.action for chained in transaction.events()]


def view(how: str = "avg", version: str = "") -> dict[str, str]:
    return {"feature_repo/air/delays.py": VIEW.format(how=how, version=version)}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A forge whose base branch was reviewed and applied, through the script alone."""
    folder = tmp_path_factory.mktemp("forge")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder / "origin.git")],
                   check=True)  # fmt: skip
    settings = read_settings(
        folder, {"FIELDHOUSE_REGISTRY_URL": f"sqlite:///{folder / 'registry.db'}",
                 "FIELDHOUSE_PROJECT_NAMESPACE": "flights"},
    )  # fmt: skip
    made = Forge(folder, open_registry(settings))
    admin = made.registry.issue_token(None, Principal("root", frozenset({"admin"})))
    for role in ("recorder", "operator"):
        bot = Principal("ci", frozenset({role}), bot=True)
        made.tokens[role] = made.registry.issue_token(admin, bot)
    for name in ("ada", "grace", "olga"):
        made.registry.issue_token(admin, Principal(name, frozenset({"author", "steward"})))
    made.clone("base")
    first = {"fieldhouse.toml": SETTINGS, "feature_repo/owners.toml": OWNERS,
             ".gitignore": ".fieldhouse/\n__pycache__/\n"}  # fmt: skip
    made.commit("base", first)
    made.git("base", "push", "-q", "origin", "main")
    made.clone("ada")
    yield made
    made.registry.database.close()


def test_a_fork_is_reviewed_merged_and_applied(forge: Forge) -> None:
    head = forge.commit("ada", view(), branch="delays")
    file = forge.read("ada", head)
    assert forge.review(file, head, 7) == "pending"
    assert forge.comment.startswith("<!-- fieldhouse: features -->")
    assert "`delays` gets a new feature: `delay`" in forge.comment
    assert "- [ ] an approval of `grace`, as a steward of air" in forge.comment

    assert forge.review(file, head, 7, review("ada-l", head)) == "pending"
    assert "a review of `ada-l` does not count: it is the author's own" in forge.comment
    assert forge.apply(file).returncode == 1

    assert forge.review(file, head, 7, review("grace-h", head)) == "success"
    assert "### Features: ready to merge" in forge.comment
    forge.git("base", "fetch", "-q", str(forge.folder / "ada"), "delays")
    forge.clone("merged")
    forge.git("merged", "fetch", "-q", str(forge.folder / "ada"), "delays")
    forge.git("merged", "merge", "-q", "--no-ff", "-m", "Merge #7", "FETCH_HEAD")
    merged = forge.read("merged", forge.git("merged", "rev-parse", "HEAD"))
    with ThreadPoolExecutor(2) as pool:  # the merge's job ran twice, at once
        done = list(pool.map(lambda _: forge.apply(merged), range(2)))
    assert [d.returncode for d in done] == [0, 0], [d.stderr for d in done]
    assert forge.number() == 1
    forge.git("merged", "push", "-q", "origin", "main")
    forge.git("base", "pull", "-q", "origin", "main")

    # Its owner consents to what another one makes of it; what is merged in between voids that.
    median = forge.commit("ada", view("median", ", version=2"), branch="median")
    file = forge.read("ada", median)
    assert forge.review(file, median, 8, review("grace-h", median, number=8)) == "pending"
    assert "nothing here takes the approval of grace" in forge.comment
    assert "- [ ] an approval of `olga`, as owner olga" in forge.comment
    assert forge.review(file, median, 8, review("olga-k", median, number=8)) == "success"

    maximum = forge.commit("ada", view("max", ", version=2"), branch="maximum")
    other = forge.read("ada", maximum)
    assert forge.review(other, maximum, 9, review("olga-k", maximum, number=9)) == "success"
    assert forge.apply(other).returncode == 0
    stale = forge.apply(file)
    assert (stale.returncode, forge.number()) == (1, 2)
    assert "merge:refused" in forge.actions()

    # A fork that looks for secrets, and changes the workflow while it is at it.
    spy = {"feature_repo/air/spy.py": SPY, ".github/workflows/features.yml": "on: push\n"}
    evil = forge.commit("ada", spy, branch="spy")
    file = forge.read("ada", evil)
    assert forge.tokens["operator"] not in file.read_text()
    assert "FIELDHOUSE_AUTH_TOKEN" not in file.read_text()
    assert forge.review(file, evil, 10, review("grace-h", evil, number=10)) == "failure"
    assert "do not load" in forge.comment
    assert forge.number() == 2

    # A withdrawn review; an event of another commit; one of another repository.
    mean = forge.commit("ada", view("sum", ", version=3"), branch="sum")
    forge.git("ada", "rm", "-q", "-f", "feature_repo/air/spy.py")
    mean = forge.commit("ada", view("sum", ", version=3"), branch="sum")
    file = forge.read("ada", mean)
    assert forge.review(file, mean, 11, review("olga-k", mean, number=11)) == "success"
    gone = review("olga-k", mean, "DISMISSED", number=11)
    assert forge.review(file, mean, 11, gone) == "pending"
    assert forge.review(file, maximum, 11, review("olga-k", maximum, number=11)) == "failure"
    assert forge.review(file, mean, 11, review("olga-k", mean, number=12)) == "failure"
    assert forge.apply(file).returncode == 1
    assert forge.number() == 2
    assert forge.actions().count("pull-request:refused") == 2
