"""Who acts in the demo: the tokens of its identities, issued like anybody's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class People:
    """Ada writes definitions, Grace reviews them and owns models, Radia is answerable for what
    runs, the bot carries out what was approved."""

    author: str
    steward: str
    reliability: str
    operator: str
