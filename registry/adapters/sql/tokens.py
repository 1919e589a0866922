"""Tokens in SQL: stored as hashes, with a subject, roles, and whether it is a bot."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import instant_of, instant_text
from registry.core.owners import same_subject
from registry.kernel.canonical import digest_bytes
from registry.kernel.errors import Forbidden, NotFound, Unauthorized
from registry.ports import Principal

ROLES = ("author", "steward", "operator", "owner", "reliability", "recorder", "admin")
PREFIX = "fh_"


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What may be shown of a token: never the token itself. `id` is the start of its hash."""

    id: str
    subject: str
    roles: tuple[str, ...]
    bot: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def issue_token(
    connection: sa.Connection, principal: Principal, now: datetime, expires_at: datetime | None
) -> str:
    """A new token, told once; only its hash is stored."""
    token = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(t.token).values(
            hash=digest_bytes(token.encode()),
            subject=principal.subject,
            roles=",".join(sorted(principal.roles)),
            bot=principal.bot,
            created_at=instant_text(now),
            expires_at=None if expires_at is None else instant_text(expires_at),
        )
    )
    return token


def revoke_token(connection: sa.Connection, id: str, now: datetime) -> TokenInfo:
    """Revoke by the id that `list_tokens` shows; raises `NotFound`."""
    for info in list_tokens(connection):
        if info.id == id:
            where = t.token.c.hash.startswith(f"sha256:{id}")
            values = {"revoked_at": instant_text(now)}
            connection.execute(sa.update(t.token).where(where).values(values))
            return info
    raise NotFound("token", id, [i.id for i in list_tokens(connection)])


def list_tokens(connection: sa.Connection) -> Sequence[TokenInfo]:
    rows = connection.execute(sa.select(t.token).order_by(t.token.c.created_at, t.token.c.hash))
    return [_info(row) for row in rows]


def any_token(connection: sa.Connection) -> bool:
    """Whether a token was ever issued."""
    return connection.execute(sa.select(t.token.c.hash).limit(1)).first() is not None


class SpentToken(Unauthorized):
    """A token that was good once: `subject` is whose it was."""

    def __init__(self, subject: str, why: str, hint: str) -> None:
        super().__init__(f"the token of {subject} {why}", hint=hint)
        self.subject = subject

    @property
    def kind(self) -> str:
        return "Unauthorized"


def principal_of(connection: sa.Connection, token: str | None, now: datetime) -> Principal:
    """Who stands behind a token; raises `Unauthorized` for none, or a bad one."""
    hint = "set FIELDHOUSE_AUTH_TOKEN, or get one from an admin: fieldhouse token create"
    if not token:
        raise Unauthorized("this needs a token", hint=hint)
    query = sa.select(t.token).where(t.token.c.hash == digest_bytes(token.encode()))
    row = connection.execute(query).first()
    if row is None:
        raise Unauthorized("the token is not known", hint=hint)
    info = _info(row)
    if info.revoked_at is not None:
        raise SpentToken(info.subject, "was revoked", hint)
    if info.expires_at is not None and info.expires_at <= now:
        raise SpentToken(info.subject, f"expired {info.expires_at}", hint)
    return Principal(info.subject, frozenset(info.roles), info.bot)


def holder_of(connection: sa.Connection, subject: str, now: datetime) -> Principal | None:
    """All that a subject's good tokens allow together; None when it has none."""
    infos = [info for info in list_tokens(connection) if _good(info, now)]
    held = [info for info in infos if same_subject(info.subject, subject)]
    if not held:
        return None
    roles = frozenset(role for info in held for role in info.roles)
    return Principal(held[0].subject, roles, any(info.bot for info in held))


def _good(info: TokenInfo, now: datetime) -> bool:
    unexpired = info.expires_at is None or info.expires_at > now
    return unexpired and info.revoked_at is None


def require(principal: Principal, roles: Sequence[str]) -> Principal:
    """The principal, when it has one of the roles; raises `Forbidden`."""
    if roles and not principal.roles & set(roles):
        raise Forbidden(
            f"{principal.subject} may not do this",
            f"it takes the role {' or '.join(roles)}; "
            f"{principal.subject} has {', '.join(sorted(principal.roles)) or 'none'}",
            "ask an admin for a token with that role",
        )
    return principal


def _info(row: sa.Row[tuple[object, ...]]) -> TokenInfo:
    return TokenInfo(
        id=row.hash.removeprefix("sha256:")[:12],
        subject=row.subject,
        roles=tuple(r for r in row.roles.split(",") if r),
        bot=bool(row.bot),
        created_at=instant_of(row.created_at),
        expires_at=instant_of(row.expires_at) if row.expires_at else None,
        revoked_at=instant_of(row.revoked_at) if row.revoked_at else None,
    )
