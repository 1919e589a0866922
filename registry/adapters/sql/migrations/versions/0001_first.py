"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=450), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_table(
        "champion",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "name", name=op.f("pk_champion")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "dataset",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("manifest_digest", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "name", name=op.f("pk_dataset")),
    )
    op.create_table(
        "model",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "name", "version", name=op.f("pk_model")),
        sa.UniqueConstraint("namespace", "name", "position", name=op.f("uq_model_namespace")),
    )
    op.create_table(
        "namespace",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_namespace")),
    )
    op.create_table(
        "proposal",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("proposer", sa.String(length=200), nullable=False),
        sa.Column("proposer_bot", sa.Boolean(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_proposal")),
    )
    op.create_index(op.f("ix_proposal_namespace"), "proposal", ["namespace"], unique=False)
    op.create_table(
        "token",
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("bot", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.String(length=40), nullable=True),
        sa.Column("revoked_at", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token")),
    )
    op.create_table(
        "watermark",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("view_key", sa.String(length=300), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("until", sa.String(length=40), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "view_key", "generation", name=op.f("pk_watermark")),
    )
    op.create_table(
        "approval",
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal"], ["proposal.digest"], name=op.f("fk_approval_proposal")
        ),
        sa.PrimaryKeyConstraint("proposal", "subject", name=op.f("pk_approval")),
    )
    op.create_table(
        "definition",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespace.name"], name=op.f("fk_definition_namespace")
        ),
        sa.PrimaryKeyConstraint("namespace", "kind", "key", name=op.f("pk_definition")),
    )
    op.create_table(
        "feature",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("ref", sa.String(length=450), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("definition_key", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespace.name"], name=op.f("fk_feature_namespace")
        ),
        sa.PrimaryKeyConstraint("namespace", "ref", name=op.f("pk_feature")),
    )
    op.create_index(op.f("ix_feature_definition_key"), "feature", ["definition_key"], unique=False)
    op.create_table(
        "published",
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespace.name"], name=op.f("fk_published_namespace")
        ),
        sa.PrimaryKeyConstraint("namespace", "number", name=op.f("pk_published")),
    )


def downgrade() -> None:
    op.drop_table("published")
    op.drop_index(op.f("ix_feature_definition_key"), table_name="feature")
    op.drop_table("feature")
    op.drop_table("definition")
    op.drop_table("approval")
    op.drop_table("watermark")
    op.drop_table("token")
    op.drop_index(op.f("ix_proposal_namespace"), table_name="proposal")
    op.drop_table("proposal")
    op.drop_table("namespace")
    op.drop_table("model")
    op.drop_table("dataset")
    op.drop_table("checkpoint")
    op.drop_table("champion")
    op.drop_table("audit")
