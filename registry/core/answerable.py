"""Who answers for the things that a plan touches, as the policy asks it. Pure.

The owner of a registered feature is who the registry has, not who the plan says: nobody becomes the
owner of a feature by the change that wants an owner's consent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from registry.core.changes import Change
from registry.core.definitions import FeatureView, OnDemandView, Repository
from registry.core.governance import effective
from registry.core.owners import Owners
from registry.core.state import (
    NamespaceState,
    newest_features,
    newest_lines,
    newest_on_demand,
)

Acts = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Answerable:
    """`owned` has the owner of each `view:feature`, `domains` that of each view, `states` the state
    that the registry holds. `acts` says whether anybody has a good token as that subject."""

    owners: Owners = field(default_factory=Owners)
    owned: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    acts: Acts = field(default=lambda _: False)

    def domain(self, change: Change) -> str:
        """The domain of what changes; empty for what belongs to none."""
        return self.domains.get(change.name.split(":")[0], "")

    def owner(self, change: Change) -> str:
        """The owner of the feature that changes, else its domain's."""
        return self.owned.get(change.name.split("@")[0]) or self.owners.owner(self.domain(change))

    def state(self, change: Change) -> str:
        """The state that the registry holds of the feature; "new" when it holds none."""
        return self.states.get(change.name.split("@")[0], "new")

    def speakers(self, owner: str) -> tuple[str, ...]:
        """Who may speak for an owner: its team, else itself when it can act; else nobody."""
        members = self.owners.teams.get(owner, ())
        return members or ((owner,) if owner and self.acts(owner) else ())


def answerable(
    repository: Repository, state: NamespaceState, owners: Owners, acts: Acts
) -> Answerable:
    """What can be said of a proposal's repository over what the registry holds."""
    newest = newest_features(state)
    views: list[FeatureView | OnDemandView] = [*repository.views, *repository.on_demand]
    declared = {
        f"{view.name}:{feature.name}": effective(view, feature).owner or ""
        for view in views
        for feature in view.features
    }
    held = {ref: record.facts.owner or "" for ref, record in newest.items() if record.live}
    known = {line.name: line.definition.domain for line in newest_lines(state).values()}
    computed = {r.name: r.definition.domain for r in newest_on_demand(state).values()}
    return Answerable(
        owners=owners,
        owned={**declared, **held},
        domains={**{view.name: view.domain for view in views}, **known, **computed},
        states={ref: r.before_quarantine or r.state for ref, r in newest.items() if r.live},
        acts=acts,
    )
