"""What reviewers answered about features that look alike, and the features of open proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "answer",
        sa.Column("one", sa.String(length=80), nullable=False),
        sa.Column("other", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", "other", name=op.f("pk_answer")),
    )
    op.create_table(
        "proposed_feature",
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("ref", sa.String(length=450), nullable=False),
        sa.Column("definition_key", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("entity", sa.String(length=450), nullable=True),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["proposal"], ["proposal.digest"], name=op.f("fk_proposed_feature_proposal")
        ),
        sa.PrimaryKeyConstraint("proposal", "ref", name=op.f("pk_proposed_feature")),
    )
    for column in ("definition_key", "entity"):
        name = op.f(f"ix_proposed_feature_{column}")
        op.create_index(name, "proposed_feature", [column], unique=False)


def downgrade() -> None:
    for column in ("definition_key", "entity"):
        op.drop_index(op.f(f"ix_proposed_feature_{column}"), table_name="proposed_feature")
    op.drop_table("proposed_feature")
    op.drop_table("answer")
