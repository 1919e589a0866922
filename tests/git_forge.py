"""A forge on real git: a bare repository, clones of it, a registry, and the script of its jobs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.bootstrap import SqlRegistry, open_registry
from registry.kernel.settings import read_settings
from registry.ports import Principal
from tests.builders import write_files
from tests.forge import commit, pull_event

ROOT = Path(__file__).parent.parent
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


@dataclass
class Forge:
    """A bare repository, clones of it, and what its API would say."""

    folder: Path
    registry: SqlRegistry
    admin: str
    tokens: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

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
            **self.extra,
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

    def review(
        self,
        file: Path,
        head: str,
        number: int,
        *reviews: dict[str, Any],
        token: str = "recorder",
        **event: str,
    ) -> str:
        """Record and comment in the base checkout; gives the state, and `self.comment`. `event` is
        what the forge's event says besides."""
        said = {
            "event": pull_event(head, number=number, fork="ada-l/features", **event),
            "reviews": list(reviews),
            "commits": [commit(head, "ada-l", "ada@x.y")],
        }
        for name, document in said.items():
            (self.folder / f"{name}.json").write_text(json.dumps(document))
        out = self.folder / "out"
        paths = [str(self.folder / f"{name}.json") for name in said]
        self.said = self.run("base", token, "review", str(file), *paths, str(out))
        self.comment = (out / "comment.md").read_text()
        return (out / "state").read_text().strip()

    def apply(self, file: Path, token: str = "operator") -> subprocess.CompletedProcess[str]:
        return self.run("base", token, "apply", str(file))

    def merge(self, clone: str, branch: str, number: int) -> Path:
        """Merge somebody's branch in a clone of its own, and read what came of it."""
        merged = f"merged-{number}"
        self.clone(merged)
        self.git(merged, "fetch", "-q", str(self.folder / clone), branch)
        self.git(merged, "merge", "-q", "--no-ff", "-m", f"Merge #{number}", "FETCH_HEAD")
        self.git(merged, "push", "-q", "origin", "main")
        return self.read(merged, self.git(merged, "rev-parse", "HEAD"))

    @contextmanager
    def changing_nothing(self, *audited: str) -> Iterator[None]:
        """What is done inside applies nothing, and each of these actions is audited in it."""
        number, before = self.number(), len(self.actions())
        yield
        assert self.number() == number
        assert set(audited) <= set(self.actions()[before:])

    def number(self) -> int:
        return self.registry.published().number

    def actions(self) -> list[str]:
        with self.registry.context.store.read() as transaction:
            return [chained.event.action for chained in transaction.events()]


def view(how: str = "avg", version: str = "") -> dict[str, str]:
    return {"feature_repo/air/delays.py": VIEW.format(how=how, version=version)}


@contextmanager
def open_forge(folder: Path) -> Iterator[Forge]:
    """A forge whose base branch has no features yet; Ada has a clone of it."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder / "origin.git")],
                   check=True)  # fmt: skip
    settings = read_settings(
        folder, {"FIELDHOUSE_REGISTRY_URL": f"sqlite:///{folder / 'registry.db'}",
                 "FIELDHOUSE_PROJECT_NAMESPACE": "flights"},
    )  # fmt: skip
    registry = open_registry(settings)
    admin = registry.issue_token(None, Principal("root", frozenset({"admin"})))
    made = Forge(folder, registry, admin)
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
