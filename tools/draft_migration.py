"""Print the draft of the backend's next migration: what `simulators.backend.schema` has that the newest revision lacks.

`python tools/draft_migration.py`: compare with a database at the newest revision. `--first`: with an empty one.
The draft is to be read line by line and goes to `simulators/backend/migrations/versions/`.
"""

from __future__ import annotations

import sys

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from simulators.backend import migrations, schema


def main() -> None:
    """Print the body of `upgrade`."""
    with create_engine("sqlite://").connect() as connection:
        if "--first" not in sys.argv[1:]:
            migrations.upgrade(connection)
        found = produce_migrations(MigrationContext.configure(connection), schema.metadata)
        assert found.upgrade_ops is not None  # noqa: S101  # always drafted
        print(render_python_code(found.upgrade_ops))


if __name__ == "__main__":
    main()
