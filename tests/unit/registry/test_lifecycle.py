import pytest

from registry.core.lifecycle import MOVES, allowed, check_move, mermaid
from registry.kernel.errors import Refused


def test_code_cannot_quarantine() -> None:
    assert not allowed("production", "quarantined", "apply")
    assert allowed("production", "quarantined", "run time")


def test_production_is_deprecated_before_it_is_retired() -> None:
    with pytest.raises(Refused, match="from production it can go to: deprecated"):
        check_move("delays:mean_delay@1", "production", "retired", "apply")


def test_the_diagram_shows_every_move() -> None:
    assert len(mermaid().splitlines()) == len(MOVES) + 1


def test_letters_name_moves_uniquely() -> None:
    assert len({move.letter for move in MOVES}) == len(MOVES)
