"""What servers use of the registry: published states, tokens, counts of use. No rules, no Feast.

`bootstrap.open_registry` opens all of it; this opens less, and so a server starts sooner.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registry.adapters.sql import tokens
from registry.adapters.sql.database import Database, open_database
from registry.adapters.sql.published_reader import published_reader
from registry.adapters.sql.usage import SqlUsage
from registry.core.published import Published
from registry.kernel.clock import Clock
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.settings import NAMESPACE, clock_of, registry_url


@dataclass(frozen=True, slots=True)
class DataPlane:
    """The registry as a server sees it."""

    published: Callable[[], Published]
    usage: SqlUsage
    database: Database
    clock: Clock

    def authority(self, token: str | None, *roles: str) -> Principal:
        """Who stands behind a token; see `registry.ports.Authority`."""
        with self.database.read() as connection:
            principal = tokens.principal_of(connection, token, self.clock())
        return tokens.require(principal, roles)


def open_data_plane(settings: Settings) -> DataPlane:
    """Open the registry that the settings name. Raises as `open_registry` does."""
    database = open_database(registry_url(settings))
    namespace, clock = str(settings.get(NAMESPACE)), clock_of(settings)
    return DataPlane(
        published=published_reader(database, namespace, clock),
        usage=SqlUsage(database, namespace),
        database=database,
        clock=clock,
    )
