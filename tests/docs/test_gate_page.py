"""docs/gate.md names every check and every limit, with its default."""

import re
from pathlib import Path

from serving.gate.policy import GatePolicy

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "gate.md").read_text()
POLICY = PAGE.partition("## The policy")[2]
_CHECK = re.compile(r'"((?:better|proper|fast|fits|same)\.[a-z0-9_]+)"')


def test_the_page_names_every_check() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "serving" / "gate").glob("*.py"))
    checks = set(_CHECK.findall(sources))
    assert len(checks) > 15
    whole = {"fast.incumbent"}  # stands for checks of this name that could not be asked
    assert {check for check in checks - whole if f"`{check}`" not in PAGE} == set()


def test_the_page_tells_every_limit_and_its_default() -> None:
    told = dict(re.findall(r"(?m)^\| `([a-z0-9_]+)` \| `?([^|`]+)`? \|", POLICY))
    limits = {name: getattr(GatePolicy(), name) for name in GatePolicy.__dataclass_fields__}
    assert set(told) == set(limits)
    wrong = {
        name: told[name]
        for name, value in limits.items()
        if (told[name] if isinstance(value, str) else float(told[name].replace(",", ""))) != value
    }
    assert wrong == {}
