from dataclasses import replace
from datetime import timedelta

from registry.core.audit import ChainedEvent, Checkpoint, Event, chain, verify_chain
from registry.testing import NOON


def events(count: int) -> list[ChainedEvent]:
    made = [
        Event(NOON + timedelta(seconds=n), "ada", "feature:add:meaning", f"delays:f{n}")
        for n in range(count)
    ]
    return chain(made, None)


def test_a_whole_chain_has_nothing_wrong() -> None:
    chained = events(5)
    assert verify_chain(chained, [Checkpoint(5, chained[4].hash, NOON)]) == []


def test_an_edited_row_is_named() -> None:
    chained = events(5)
    forged = replace(chained[2], event=replace(chained[2].event, actor="eve"))
    assert verify_chain([*chained[:2], forged, *chained[3:]]) == ["row 3 was edited"]


def test_a_row_edited_with_its_hash_breaks_the_one_after_it() -> None:
    chained = events(4)
    (forged,) = chain([replace(chained[1].event, actor="eve")], chained[0])
    problems = verify_chain([chained[0], forged, *chained[2:]])
    assert problems == ["row 3 does not follow row 2"]


def test_a_removed_row_is_named() -> None:
    chained = events(5)
    assert verify_chain([*chained[:1], *chained[2:]]) == ["rows 2 to 2 are missing"]


def test_reordered_rows_are_named() -> None:
    first, second, third = events(3)
    swapped = [first, replace(third, sequence=2), replace(second, sequence=3)]
    assert verify_chain(swapped)


def test_a_chain_cut_off_before_a_checkpoint_is_named() -> None:
    chained = events(5)
    problems = verify_chain(chained[:3], [Checkpoint(5, chained[4].hash, NOON)])
    assert problems == ["the chain is cut off: it ends at row 3, a checkpoint saw row 5"]


def test_a_chain_rewritten_after_a_checkpoint_is_named() -> None:
    chained = events(2)
    rewritten = chain([replace(c.event, actor="eve") for c in chained], None)
    problems = verify_chain(rewritten, [Checkpoint(2, chained[1].hash, NOON)])
    assert problems == ["row 2 is not the row that a checkpoint saw"]


def test_a_clock_that_jumped_back_does_not_turn_time_around() -> None:
    late, early = (Event(NOON + timedelta(hours=h), "ada", "a:b", "x") for h in (1, 0))
    first, second = chain([late, early], None)
    assert second.event.at == first.event.at
    assert verify_chain([first, second]) == []
