"""Whose database it is: that of one centre, which its CA stands for.

A second data directory on the same database would be a second centre: its documents would reach kiosks that pin other
keys, and its certificates kiosks that pin another CA.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it

from simulators.backend import schema
from simulators.backend.authority import Authority

_ONLY: Final = 1


class OtherCentreError(Exception):
    """The database is another centre's; the message names both by the SHA-256 of their CA certificates."""


def claim(connection: Connection, authority: Authority) -> None:
    """Whoever is first here owns the database from now on, in the caller's transaction; nothing is written later.

    Raises OtherCentreError to anybody else.
    """
    table, ours = schema.owner, authority.ca_certificate.fingerprint(hashes.SHA256())
    owner = connection.execute(select(table.c.ca_sha256)).scalar()
    if owner is None:
        # Of several that start together all but one wait here for its commit, and then see it.
        first = insert_or(table).values(id=_ONLY, ca_sha256=ours, probes=0)
        connection.execute(first.on_conflict_do_nothing())
        owner = connection.execute(select(table.c.ca_sha256)).scalar_one()
    if owner != ours:
        raise OtherCentreError(
            f"database: it belongs to the centre with the CA certificate {owner.hex()} (SHA-256);"
            f" that of this directory is {ours.hex()}"
        )


def probe(connection: Connection) -> None:
    """Write the least that can be written, another value each time: the same again might never reach the disk."""
    connection.execute(update(schema.owner).values(probes=schema.owner.c.probes + 1))
