"""The public names, and that nothing happens before one of them is asked for."""

import subprocess
import sys

import pytest

import fieldhouse

PUBLIC = [
    "Lookup",
    "Predictor",
    "SqlSource",
    "build_training_set",
    "expect",
    "governed",
    "load_training_set",
    "push",
]


def test_the_public_names_are_these() -> None:
    assert fieldhouse.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_loaded(name: str) -> None:
    assert getattr(fieldhouse, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Loookup'"):
        fieldhouse.Loookup  # noqa: B018


def test_importing_fieldhouse_imports_only_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import fieldhouse;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['fieldhouse']"
