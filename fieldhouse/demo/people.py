"""Who acts in the demo: the tokens of its identities, issued like anybody's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class People:
    """Ada writes definitions, Grace reviews them, the bot carries out what was approved."""

    author: str
    steward: str
    operator: str
