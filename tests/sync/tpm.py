"""A TPM in software (`swtpm`) for as long as a test needs it, reached over a Unix socket."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_LIMIT_S = 10.0
ACCEPTS = 0x10000
"""`__SO_ACCEPTCON` of the kernel's socket flags."""


def listens(path: Path) -> bool:
    """Whether somebody accepts connections at this Unix socket: its name is there before that."""
    sockets = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()[1:])
    return any(len(parts) == 8 and parts[7] == str(path) and int(parts[3], 16) & ACCEPTS for parts in sockets)


@contextmanager
def software_tpm(folder: Path, sockets: Path | None = None) -> Iterator[str]:
    """The TCTI of a TPM whose state is in `folder`: the same TPM again, if it had been started there before.

    `sockets`: a directory with a short path, which stays; by default one of its own.
    """
    folder.mkdir(exist_ok=True)
    place = sockets or Path(tempfile.mkdtemp(prefix="tpm-"))  # the path of a Unix socket has 107 bytes at most
    path, control = place / "s", place / "s.ctrl"  # the names that the TCTI expects
    process = subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server", f"type=unixio,path={path}",
         "--ctrl", f"type=unixio,path={control}", "--flags", "startup-clear,not-need-init"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end_s = time.monotonic() + START_LIMIT_S
        while not (listens(path) and listens(control)):
            assert process.poll() is None, "swtpm has ended"
            assert time.monotonic() < end_s, "swtpm does not listen"
            time.sleep(0.005)  # its sockets appear in no queue that could be waited on
        yield f"swtpm:path={path}"
    finally:
        process.terminate()
        process.wait(START_LIMIT_S)
        for left in (path, control):
            left.unlink(missing_ok=True)
        if sockets is None:
            place.rmdir()
