"""What was live at a time, by whose word, on what evidence. Pure."""

from collections.abc import Sequence
from typing import Any

from registry.core.audit import ChainedEvent
from registry.core.published import Published


def live_at(published: Published | None, events: Sequence[ChainedEvent]) -> list[dict[str, Any]]:
    """A row a live feature: version, state, and the last event that made it so."""
    if published is None:
        return []
    return [
        {
            "feature": f"{view}:{feature.name}@{feature.version}",
            "state": feature.state,
            "owner": feature.owner,
            **_word(f"{view}:{feature.name}", events),
        }
        for view, feature in published.live()
    ]


def _word(ref: str, events: Sequence[ChainedEvent]) -> dict[str, Any]:
    for chained in reversed(events):
        event = chained.event
        if event.subject.split("@")[0] == ref:
            detail = event.detail or {}
            return {
                "since": event.at,
                "applied_by": event.actor,
                "proposed_by": detail.get("proposer", ""),
                "proposal": detail.get("proposal", ""),
            }
    return {"since": None, "applied_by": "", "proposed_by": "", "proposal": ""}
