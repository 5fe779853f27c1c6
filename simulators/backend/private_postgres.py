"""A PostgreSQL server of one's own: Debian's binaries, a new cluster in a temporary folder, a Unix socket only.

`private_postgres()` starts it and takes it away again; `python -m simulators.backend.private_postgres` does so until
its standard input ends. The cluster belongs to a keeper process that reads its owner's pipe: however the owner ends,
the pipe ends with it, and the keeper stops the server and removes the folder. Should the keeper itself be killed, the
kernel ends the server. The server refuses root, so root runs it as the system user `postgres`.
Durability is as in production: `fsync` and `synchronous_commit` stay on.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

START_LIMIT_S: Final = 30.0
STOP_LIMIT_S: Final = 10.0
SERVER_USER: Final = "postgres"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_POLL_S: Final = 0.02
_SOCKET_PATH_BYTES: Final = 107
_SOCKET_NAME: Final = ".s.PGSQL.5432"


class PostgresUnavailable(Exception):  # noqa: N818  # states a fact, not a defect
    """No server can be started here; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class PrivatePostgres:
    """A running cluster. `folder` holds data, socket and log; it disappears at the end. `pid`: of the postmaster."""

    folder: Path
    pid: int

    def url(self, database: str = "postgres") -> str:
        """As `--database-url` takes it."""
        return f"postgresql+psycopg://{SERVER_USER}@/{database}?host={self.folder}"

    def new_database(self, like: str = "template1") -> str:
        """The URL of a fresh database in this cluster: empty, or a copy of one that nobody uses (its URL)."""
        name, template = f"kiosk_{secrets.token_hex(6)}", like.partition("@/")[2].partition("?")[0] or like
        with psycopg.connect(f"host={self.folder} user={SERVER_USER} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode("ascii"))
        return self.url(name)


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """Start a cluster, stop and remove it at the end; raises PostgresUnavailable."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", "simulators.backend.private_postgres"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the owner, who then ends the pipe
    )
    assert keeper.stdin is not None  # noqa: S101  # asked for with PIPE
    assert keeper.stdout is not None  # noqa: S101  # asked for with PIPE
    try:
        told = json.loads(keeper.stdout.readline() or '{"error": "the keeper ended at once"}')
        if "error" in told:
            raise PostgresUnavailable(told["error"])
        yield PrivatePostgres(Path(told["folder"]), told["pid"])
    finally:
        keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()


def main() -> int:
    """Run a cluster until standard input ends or SIGTERM or SIGINT comes; prints one JSON line when it is ready."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    folder = Path(tempfile.mkdtemp(prefix="kiosk-postgres-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        server = _start(folder)
        print(
            json.dumps({"folder": str(folder), "pid": server.pid, "url": PrivatePostgres(folder, 0).url()}), flush=True
        )
        sys.stdin.buffer.read()
    except PostgresUnavailable as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _start(folder: Path) -> subprocess.Popen[bytes]:
    if len(os.fsencode(folder / _SOCKET_NAME)) > _SOCKET_PATH_BYTES:
        raise PostgresUnavailable("the temporary folder's path is too long for a Unix socket")
    programs = _programs()
    as_user = ["setpriv", "--pdeathsig=KILL"]
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam(SERVER_USER)
        except KeyError:
            raise PostgresUnavailable(f"root cannot run the server and there is no user {SERVER_USER}") from None
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data, log = folder / "data", folder / "server.log"
    made = subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", SERVER_USER, "-E", "UTF8", "--locale=C", "-A", "trust",
         "--no-sync", "--no-instructions"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    if made.returncode != 0:
        raise PostgresUnavailable(f"initdb: {(made.stderr.splitlines() or ['failed'])[-1]}")
    settings = {"listen_addresses": "", "unix_socket_directories": str(folder), "max_connections": "64"}
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd="/",
        )  # fmt: skip
    end_s = time.monotonic() + START_LIMIT_S
    while not _is_ready(data):
        if server.poll() is not None or time.monotonic() > end_s:
            _stop(server)
            raise PostgresUnavailable(f"postgres: {(log.read_text(errors='replace').splitlines() or ['no log'])[-1]}")
        time.sleep(_POLL_S)
    return server


def _is_ready(data: Path) -> bool:
    """The eighth line of the server's own pid file, as its control program reads it."""
    try:
        lines = (data / "postmaster.pid").read_text("ascii").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)  # at once and without a checkpoint: nobody will open this folder again
    try:
        server.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _programs() -> Path:
    """Folder of `initdb` and `postgres`: the newest of Debian's versions, else that of the search path."""
    versions = sorted(
        (found.parent for found in _DEBIAN.glob("*/bin/postgres")), key=lambda path: float(path.parent.name)
    )
    if versions:
        return versions[-1]
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise PostgresUnavailable("no PostgreSQL server is installed here")


if __name__ == "__main__":
    sys.exit(main())
