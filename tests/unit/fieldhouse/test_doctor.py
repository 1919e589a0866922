from collections.abc import Callable
from pathlib import Path

import pytest

from fieldhouse.doctor import diagnose, unknown_keys, unknown_variables
from fieldhouse.parts import MASK, schema_check, without_password
from registry.kernel.settings import Setting, Settings
from tests.builders import Ran, write_files

DECLARED = (
    Setting("registry", "url", "", "where"),
    Setting("auth", "token", "", "who", secret=True),
    Setting("server", "port", 6566, "door number"),
)


def _settings(root: Path, table: dict[str, object], environ: dict[str, str]) -> Settings:
    return Settings(root, root / "fieldhouse.toml", table, environ)


def _verdicts(settings: Settings) -> dict[str, str]:
    return {check.about: check.verdict for check in diagnose(settings).checks}


def test_an_unknown_key_is_wrong_and_the_nearest_is_named() -> None:
    (check,) = unknown_keys({"registry": {"ulr": "sqlite://"}}, DECLARED)
    assert (check.about, check.verdict, check.hint) == (
        "key registry.ulr",
        "wrong",
        "nearest: registry.url",
    )


def test_an_unknown_section_is_wrong_and_the_nearest_is_named() -> None:
    (check,) = unknown_keys({"registri": {"url": ""}}, DECLARED)
    assert (check.about, check.hint) == ("key [registri]", "nearest: registry")


def test_tables_whose_keys_are_the_users_own_are_not_unknown() -> None:
    assert list(unknown_keys({"warehouse": {"tables": {"orders": "o.parquet"}}}, DECLARED)) == []


def test_an_unknown_variable_of_our_prefix_is_a_note() -> None:
    environ = {"FIELDHOUSE_SERVER_PRT": "1", "FIELDHOUSE_DEBUG": "1", "HOME": "/"}
    (check,) = unknown_variables(environ, DECLARED)
    assert (check.verdict, check.hint) == ("note", "nearest: FIELDHOUSE_SERVER_PORT")


def test_a_secret_is_masked_and_its_origin_is_told(tmp_path: Path) -> None:
    found = diagnose(_settings(tmp_path, {}, {"FIELDHOUSE_AUTH_TOKEN": "fh_abc"}))
    line = next(line for line in found.settings if line.name == "auth.token")
    assert (line.value, line.origin) == (MASK, "environment FIELDHOUSE_AUTH_TOKEN")


def test_an_empty_secret_is_seen_to_be_empty(tmp_path: Path) -> None:
    found = diagnose(_settings(tmp_path, {}, {}))
    assert next(line for line in found.settings if line.name == "auth.token").value == ""


def test_a_value_of_the_wrong_type_is_a_check_and_not_an_error(tmp_path: Path) -> None:
    table = {"registry": {"url": 7}, "project": {"repository": 7}}
    verdicts = _verdicts(_settings(tmp_path, table, {}))
    assert (verdicts["registry.url"], verdicts["project.repository"]) == ("wrong", "wrong")


def test_a_missing_feature_repository_is_wrong(tmp_path: Path) -> None:
    settings = _settings(tmp_path, {}, {})
    assert _verdicts(settings)["feature repository"] == "wrong"
    write_files(tmp_path, {"feature_repo/entities.py": ""})
    assert _verdicts(settings)["feature repository"] == "ok"


def test_a_registry_that_was_never_made_is_a_note(tmp_path: Path) -> None:
    assert _verdicts(_settings(tmp_path, {}, {}))["registry"] == "note"


def test_a_registry_url_that_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    table = {"registry": {"url": "no url at all"}}
    assert _verdicts(_settings(tmp_path, table, {}))["registry"] == "wrong"


def test_the_password_of_the_registry_is_never_shown(tmp_path: Path) -> None:
    table = {"registry": {"url": "postgresql://me:s3cret@127.0.0.1:1/no"}}
    found = diagnose(_settings(tmp_path, table, {}))
    assert "s3cret" not in repr(found)


def test_redis_server_is_found_even_when_none_is_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _verdicts(_settings(tmp_path, {}, {}))["redis-server"] == "ok"


def test_the_command_exits_1_when_something_is_wrong(
    fieldhouse: Callable[..., Ran], project: Path
) -> None:
    write_files(project, {"fieldhouse.toml": "[projct]\n", "feature_repo/a.py": ""})
    ran = fieldhouse("doctor", "--json")
    assert ran.code == 1
    wrong = [c for c in ran.json["checks"] if c["verdict"] == "wrong"]
    assert wrong[0]["about"] == "key [projct]"
    assert wrong[0]["hint"].startswith("nearest: project")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cret@host:6379/0", f"redis://:{MASK}@host:6379/0"),
        ("postgresql+psycopg://me:p@ss@host/db", f"postgresql+psycopg://me:{MASK}@host/db"),
        ("sqlite:////tmp/registry.db", "sqlite:////tmp/registry.db"),
    ],
)
def test_a_password_inside_a_url_is_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("found", "verdict"), [(None, "note"), ("0001", "note"), ("0002", "ok"), ("0003", "wrong")]
)
def test_the_schema_of_the_registry_is_compared_with_ours(found: str | None, verdict: str) -> None:
    assert schema_check("sqlite:///registry.db", found, newest="0002").verdict == verdict


@pytest.mark.parametrize("place", ["training.py", "feature_repo/training.py"])
def test_a_users_own_training_py_is_named_where_it_would_be_in_the_way(
    fieldhouse: Callable[..., Ran], project: Path, place: str
) -> None:
    write_files(project, {"fieldhouse.toml": "", "feature_repo/a.py": "", place: "x = 1"})
    ran = fieldhouse("doctor")
    assert ran.code == 1
    assert f"imports {project / place} in place of our training" in ran.out


def test_a_folder_of_a_rooms_name_without_init_is_in_nobodys_way(
    fieldhouse: Callable[..., Ran], project: Path
) -> None:
    write_files(project, {"fieldhouse.toml": "", "feature_repo/training/a.py": ""})
    assert fieldhouse("doctor").code == 0
