"""Run by Alembic, on the connection that `registry.adapters.sql.migrate` hands over."""

from alembic import context

from registry.adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # The caller's transaction is the one transaction.
    render_as_batch=True,
)
context.run_migrations()
