"""Looking at the parts that a project needs: each look is one `Check`, and mends nothing."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fieldhouse.rooms import load
from registry.kernel.settings import Settings
from registry.settings import REPOSITORY, registry_url

Verdict = Literal["ok", "note", "wrong"]
MASK = "********"
_PASSWORD = re.compile(r"(://[^/@\s:]*:)[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found and, unless all is well, what to do."""

    about: str
    verdict: Verdict
    found: str
    hint: str = ""


def without_password(value: Any) -> Any:
    """A URL's password replaced by the mask; anything else as it is."""
    return _PASSWORD.sub(rf"\1{MASK}@", value) if isinstance(value, str) else value


def look_at_repository(settings: Settings) -> Check:
    folder = settings.path(REPOSITORY)
    if not folder.is_dir():
        hint = f"make it, or set {REPOSITORY.name}; `fieldhouse init` makes an example"
        return Check("feature repository", "wrong", f"{folder} is not a folder", hint)
    files = sum(1 for _ in folder.rglob("*.py"))
    return Check("feature repository", "ok", f"{folder}: {files} Python files")


def look_at_redis_server() -> Check:
    program = load("featureserver.redis_server").find_redis_server()
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    version = next((word[2:] for word in answer.stdout.split() if word.startswith("v=")), "?")
    return Check("redis-server", "ok", f"{version} at {program}")


def look_at_online_store(settings: Settings) -> Check:
    """The configured Redis must answer; without one, commands start their own."""
    import redis

    url = str(settings.get(load("featureserver.settings").URL))
    if not url:
        return Check("online store", "ok", "a redis-server is started when one is needed")
    with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        version = client.info("server").get("redis_version", "?")
    return Check("online store", "ok", f"{without_password(url)} answers: Redis {version}")


def look_at_warehouse(settings: Settings) -> Check:
    tables = load("warehouse.bootstrap").open_engine(settings).tables()
    if not tables:
        hint = "put Parquet files under warehouse.root or name them in [warehouse.tables]"
        return Check("warehouse", "note", "no tables", hint)
    return Check("warehouse", "ok", f"{len(tables)} tables: {', '.join(sorted(tables))}")


def look_at_registry(settings: Settings) -> Check:
    """Whether the database answers and which schema it has. Never opened by us: that would mend."""
    import sqlalchemy as sa

    url = sa.make_url(registry_url(settings))
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return Check(
            "registry", "note", f"{shown} does not exist yet", "the first propose makes it"
        )
    migrate = load("registry.adapters.sql.migrate")
    engine = sa.create_engine(url)
    try:
        found = migrate.schema_revision(engine)
    finally:
        engine.dispose()
    return schema_check(shown, found, migrate.NEWEST)


def schema_check(shown: str, found: str | None, newest: str) -> Check:
    """What a registry's schema revision means to this installation."""
    if found is None:
        return Check("registry", "note", f"{shown} is empty", "the first propose fills it")
    if found > newest:
        hint = f"this installation knows {newest}: upgrade it"
        return Check("registry", "wrong", f"{shown} has schema {found}", hint)
    if found < newest:
        hint = f"the next command brings it up to {newest}"
        return Check("registry", "note", f"{shown} has schema {found}", hint)
    return Check("registry", "ok", f"{shown} has schema {found}")
