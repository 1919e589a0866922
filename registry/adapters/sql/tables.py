"""The tables. Migrations make them; this says what they look like now."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# Instants are kept as RFC 3339 text in UTC: the same bytes in both databases, and they sort.
namespace = Table(
    "namespace",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
definition = Table(
    "definition",
    metadata,
    Column("namespace", String(200), ForeignKey("namespace.name"), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("body", Text, nullable=False),
)
feature = Table(
    "feature",
    metadata,
    Column("namespace", String(200), ForeignKey("namespace.name"), primary_key=True),
    Column("ref", String(450), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("definition_key", String(80), nullable=False, index=True),
    Column("body", Text, nullable=False),
)
published = Table(
    "published",
    metadata,
    Column("namespace", String(200), ForeignKey("namespace.name"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
proposal = Table(
    "proposal",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("namespace", String(200), nullable=False, index=True),
    Column("status", String(20), nullable=False),
    Column("proposer", String(200), nullable=False),
    Column("proposer_bot", Boolean, nullable=False),
    Column("at", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
approval = Table(
    "approval",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.digest"), primary_key=True),
    Column("subject", String(200), primary_key=True),
    Column("body", Text, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(100), nullable=False),
    Column("subject", String(450), nullable=False),
    Column("namespace", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(80), nullable=False),
    Column("hash", String(80), nullable=False),
)
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(80), nullable=False),
    Column("at", String(40), nullable=False),
    Column("signature", Text, nullable=False),
    Column("key", Text, nullable=False),
)
token = Table(
    "token",
    metadata,
    Column("hash", String(80), primary_key=True),
    Column("subject", String(200), nullable=False),
    Column("roles", Text, nullable=False),
    Column("bot", Boolean, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", String(40)),
    Column("revoked_at", String(40)),
)
watermark = Table(
    "watermark",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("view_key", String(300), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("until", String(40), nullable=False),
    Column("rows", BigInteger, nullable=False),
)
dataset = Table(
    "dataset",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("manifest_digest", String(80), nullable=False),
    Column("body", Text, nullable=False),
)
model = Table(
    "model",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("version", String(100), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("namespace", "name", "position"),
)
champion = Table(
    "champion",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("version", String(100), nullable=False),
)
sketch = Table(
    "sketch",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("ref", String(450), primary_key=True),
    Column("entity", String(450), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
# Features by small numbers, and the numbers that each shares with those that may be like it.
indexed = Table(
    "indexed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("namespace", String(200), nullable=False),
    Column("ref", String(450), nullable=False),
    UniqueConstraint("namespace", "ref"),
)
likeness = Table(
    "likeness",
    metadata,
    Column("tier", SmallInteger, primary_key=True),
    Column("token", BigInteger, primary_key=True),
    Column("feature", Integer, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
usage = Table(
    "usage",
    metadata,
    Column("namespace", String(200), primary_key=True),
    Column("ref", String(450), primary_key=True),
    Column("service", String(200), primary_key=True),
    Column("caller", String(200), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("last_at", String(40), nullable=False),
)
answer = Table(
    "answer",
    metadata,
    Column("one", String(80), primary_key=True),
    Column("other", String(80), primary_key=True),
    Column("body", Text, nullable=False),
)
proposed_feature = Table(
    "proposed_feature",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.digest"), primary_key=True),
    Column("ref", String(450), primary_key=True),
    Column("definition_key", String(80), nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("entity", String(450), index=True),
    Column("sketch", LargeBinary),
)
