"""Sketches of features' values, for duplicate detection."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sketch",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("ref", sa.String(length=450), nullable=False),
        sa.Column("entity", sa.String(length=450), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "ref", name=op.f("pk_sketch")),
    )
    op.create_index(op.f("ix_sketch_entity"), "sketch", ["entity"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_sketch_entity"), table_name="sketch")
    op.drop_table("sketch")
