"""The database's schema, version by version (Alembic); `upgrade` brings a database to the newest one.

A revision is never changed once a database may have it. `tools/draft_migration.py` drafts a new one; a test compares
what the revisions make with `schema` on both engines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

HEAD: Final = "0003"
"""The newest revision; a database that says so needs nothing."""
VERSION_TABLE: Final = "alembic_version"
_FOLDER: Final = Path(__file__).parent
_LOCK: Final = 0x6B696F736B  # any number, the same for everybody


class DatabaseVersionError(Exception):
    """The database cannot be brought to this program's version; the message says why."""


def upgrade(connection: Connection) -> None:
    """Bring the schema to HEAD inside the caller's transaction; processes that start together wait for each other.

    Raises DatabaseVersionError for a database that a later version has written, or one without a version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # a migration may take its time
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    tables = inspect(connection).get_table_names()
    found = None
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # a constant
    elif tables:
        raise DatabaseVersionError("database: it has tables but no version; it is not ours, or older than versions")
    if found != HEAD:
        _migrate(connection, found)


def _migrate(connection: Connection, found: str | None) -> None:
    from alembic import command  # noqa: PLC0415  # a fifth of a second that most starts can do without
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseVersionError(f"database: version {found} was written by a later program; this one knows {HEAD}")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
