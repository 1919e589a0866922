"""The index by which features are found that may be alike."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "indexed",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("ref", sa.String(length=450), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indexed")),
        sa.UniqueConstraint("namespace", "ref", name=op.f("uq_indexed_namespace")),
    )
    op.create_table(
        "likeness",
        sa.Column("tier", sa.SmallInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("feature", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tier", "token", "feature", name=op.f("pk_likeness")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_likeness_feature"), "likeness", ["feature"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_likeness_feature"), table_name="likeness")
    op.drop_table("likeness")
    op.drop_table("indexed")
