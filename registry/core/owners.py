"""Who answers for what: owners and stewards by domain, teams, and logins of a forge. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Domain:
    """A folder of the repository. No stewards named: whoever has the role steward is one."""

    owner: str = ""
    stewards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owners:
    """What `owners.toml` says. `teams` maps an owner to its members' subjects, `people` a login of
    the forge (in lower case) to a subject."""

    domains: Mapping[str, Domain] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)

    def stewards(self, domain: str) -> tuple[str, ...]:
        """The stewards that the domain names; none where it names none."""
        found = self.domains.get(domain)
        return found.stewards if found is not None else ()

    def owner(self, domain: str) -> str:
        """Who owns what is in the domain and says no owner of its own; empty for nobody."""
        found = self.domains.get(domain)
        return found.owner if found is not None else ""

    def subject(self, login: str) -> str | None:
        """The subject behind a login of the forge, whose case does not matter."""
        return self.people.get(login.lower())


def same_subject(one: str, other: str) -> bool:
    """Whether two spellings name one subject: nobody becomes another by capital letters."""
    return one.strip().casefold() == other.strip().casefold()
