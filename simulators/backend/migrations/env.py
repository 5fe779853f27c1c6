"""What Alembic runs: the migrations, on the connection it is given, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from simulators.backend import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata)
context.run_migrations()
