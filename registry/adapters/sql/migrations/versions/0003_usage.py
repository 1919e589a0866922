"""Counts of lookups by feature version, service and caller."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("ref", sa.String(length=450), nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "ref", "service", "caller", name=op.f("pk_usage")),
    )


def downgrade() -> None:
    op.drop_table("usage")
