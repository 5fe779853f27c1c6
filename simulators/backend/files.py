"""The backend's data directory: names of its files, and writing a secret so that only its owner reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kiosk.store.files import sync_directory


class DamagedFileError(Exception):
    """A file of the data directory is not what was written there; the message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """Everything the backend keeps is below `root`, a directory of mode 0700."""

    root: Path

    @property
    def ca_file(self) -> Path:
        """PEM certificate of the backend's own CA: what a kiosk pins."""
        return self.root / "ca.pem"

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.root / "backend.sqlite"

    @property
    def ports_file(self) -> Path:
        """The ports of the last start, so that the origin a kiosk signs for survives a restart."""
        return self.root / "ports.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the one server, or the parent of the several processes, that runs on this directory."""
        return self.root / "serve.lock"

    @property
    def admin_socket(self) -> Path:
        """Unix socket through which the commands reach a running server."""
        return self.root / "admin.sock"

    @property
    def pepper_file(self) -> Path:
        """32 random bytes that are in no database: without them a stored code hash says nothing."""
        return self.root / "pepper.bin"

    @property
    def has_database_elsewhere(self) -> bool:
        """A backend was here, and not on the SQLite file: one made now would know no kiosk."""
        return self.ca_file.exists() and not self.database.exists()

    def key_file(self, name: str) -> Path:
        """PKCS#8 PEM of one private key."""
        return self.root / f"{name}.key.pem"

    def create(self) -> None:
        """Make the directory, readable by its owner only.

        Raises OSError for one that holds something and that others may enter: it is not ours to shut them out of it.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.root.stat().st_mode & 0o077 and any(self.root.iterdir()):
            raise OSError(f"data: {self.root} is in use and open to others; a directory of its own expected (0700)")
        self.root.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all: temporary file, fsync, rename, fsync of the directory."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    sync_directory(path.parent)
