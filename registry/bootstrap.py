"""The one place that joins the registry's parts. Settings in, an open registry out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from registry.adapters.checkpoint_file import CheckpointFile
from registry.adapters.owners_file import read_owners
from registry.adapters.sql import tokens
from registry.adapters.sql.books import SqlDatasets, SqlModels, SqlWatermarks
from registry.adapters.sql.database import Database, open_database
from registry.adapters.sql.published_reader import published_reader
from registry.adapters.sql.store import SqlStore
from registry.adapters.sql.usage import SqlUsage
from registry.adapters.waivers import read_waivers
from registry.core.audit import Event
from registry.core.policy import read_policy
from registry.core.published import Published
from registry.core.rules.base import TableColumns
from registry.core.rules.engine import read_severities
from registry.kernel.clock import Clock
from registry.kernel.errors import Forbidden
from registry.kernel.settings import Settings
from registry.kernel.signing import ensure_key
from registry.ports import ComputedSketchMaker, Principal, SketchMaker
from registry.service import runtime
from registry.service.context import Context
from registry.settings import HOME, INTERVAL, NAMESPACE, REPOSITORY, clock_of, registry_url

KEY_FILE = "keys/registry.key"
CHECKPOINT_FILE = "audit/checkpoints.jsonl"


@dataclass(frozen=True, slots=True)
class SqlRegistry:
    """An open registry: the `Registry` port, and the context that use cases work with."""

    namespace: str
    context: Context
    published: Callable[[], Published]
    watermarks: SqlWatermarks
    datasets: SqlDatasets
    models: SqlModels
    usage: SqlUsage
    database: Database

    @property
    def clock(self) -> Clock:
        return self.context.clock

    def authority(self, token: str | None, *roles: str) -> Principal:
        """See `registry.ports.Authority`. That a token was used after its end is audited."""
        try:
            with self.database.read() as connection:
                principal = tokens.principal_of(connection, token, self.clock())
        except tokens.SpentToken as spent:
            self._note(spent.subject, "token:refused", spent.subject)
            raise
        return tokens.require(principal, roles)

    def switch_generation(self, view_key: str, generation: int, actor: str) -> Published:
        return runtime.switch_generation(self.context, self.namespace, view_key, generation, actor)

    def issue_token(
        self, admin: str | None, principal: Principal, expires_at: datetime | None = None
    ) -> str:
        """A new token for `principal`, asked for by an admin's token.

        The very first token of a registry needs none, and must be an admin's own.
        """
        first = self._first_token()
        if first and "admin" not in principal.roles:
            raise Forbidden(
                "the first token of a registry must be an admin's",
                f"it was asked for roles {', '.join(sorted(principal.roles)) or 'none'}",
                "fieldhouse token create NAME --role admin",
            )
        actor = principal.subject if first else self.authority(admin, "admin").subject
        with self.database.write() as connection:
            token = tokens.issue_token(connection, principal, self.clock(), expires_at)
        self._note(actor, "token:issued", principal.subject)
        return token

    def revoke_token(self, admin: str | None, id: str) -> tokens.TokenInfo:
        """Revoke a token by its id, asked for by an admin's token."""
        actor = self.authority(admin, "admin").subject
        with self.database.write() as connection:
            info = tokens.revoke_token(connection, id, self.clock())
        self._note(actor, "token:revoked", info.subject)
        return info

    def list_tokens(self, admin: str | None) -> list[tokens.TokenInfo]:
        """What may be shown of all tokens, asked for by an admin's token."""
        self.authority(admin, "admin")
        with self.database.read() as connection:
            return list(tokens.list_tokens(connection))

    def _first_token(self) -> bool:
        with self.database.read() as connection:
            return not tokens.any_token(connection)

    def _note(self, actor: str, action: str, subject: str) -> None:
        event = Event(self.clock(), actor, action, subject, namespace=self.namespace)
        with self.context.store.write() as transaction:
            transaction.append([event])


def open_registry(
    settings: Settings,
    tables: TableColumns | None = None,
    sketches: SketchMaker | None = None,
    computed: ComputedSketchMaker | None = None,
) -> SqlRegistry:
    """Open the registry that the settings name, made when it does not exist.

    `tables` says what the warehouse has, for the rules that look at columns; `sketches` reads it
    for those that compare values, `computed` runs the code of on-demand features over it.
    """
    database = open_database(registry_url(settings))
    namespace = str(settings.get(NAMESPACE))
    clock = clock_of(settings)
    context = Context(
        store=SqlStore(database),
        clock=clock,
        key=ensure_key(settings.path(HOME) / KEY_FILE),
        tables=tables,
        sketches=sketches,
        computed=computed,
        checkpoints=CheckpointFile(settings.path(HOME) / CHECKPOINT_FILE),
        interval_seconds=float(settings.get(INTERVAL)),
        severities=read_severities(settings.section("rules")),
        waivers=read_waivers(settings.path(REPOSITORY)),
        policy=read_policy(settings.section("policy")),
        owners=read_owners(settings.path(REPOSITORY), settings.section("people")),
    )
    return SqlRegistry(
        namespace=namespace,
        context=context,
        published=published_reader(database, namespace, clock),
        watermarks=SqlWatermarks(database, namespace),
        datasets=SqlDatasets(database, namespace, clock),
        models=SqlModels(database, namespace, clock),
        usage=SqlUsage(database, namespace),
        database=database,
    )
