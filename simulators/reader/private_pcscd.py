"""A real `pcscd` with the virtual reader (vpcd), private to one run: own namespaces, own socket, no other reader.

`PrivatePcscd` keeps the daemon in its namespaces while the caller stays outside: the daemon's socket appears in a
directory of the caller's, named to PC/SC clients by PCSCLITE_CSOCK_NAME, and `vpcd_socket` hands out connections to
the virtual reader's ports, which exist inside only. `python -m simulators.reader.private_pcscd -- COMMAND` runs a whole
command inside the network namespace instead, with those ports on its loopback.

Works as root, and as an ordinary user where user namespaces are allowed. A refusal is a `PcscdRefused` that names the
cause; nothing is replaced silently. Facts: hardware reference, "The virtual reader". This file also runs as a script,
inside the namespaces, and therefore imports the standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final, NoReturn

VPCD_PORT: Final = 35963
VPCD_READERS: Final = ("Virtual PCD 00 00", "Virtual PCD 00 01")
SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
READY_LIMIT_S: Final = 10.0

_VPCD_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_READER_CONF: Final = f"""FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:{VPCD_PORT:#06x}
LIBPATH {{directory}}/{_VPCD_DRIVER.name}
CHANNELID {VPCD_PORT:#06x}
"""
_RUN_PCSCD: Final = (
    'mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind "$0/run" /run/pcscd'
    " && mount -t tmpfs tmpfs /usr/lib/pcsc/drivers"
    ' && exec setpriv --pdeathsig KILL pcscd --foreground --config "$0/reader.conf"'
)
"""The socket's path is compiled in, so /run is the daemon's own; without drivers it takes no real reader."""


class PcscdRefused(RuntimeError):  # noqa: N818  # a refusal by the machine, told to a person
    """A private pcscd cannot be had here; the message names the cause."""


class PrivatePcscd:
    """Context manager. `kill` and `start` let a test take the service away and bring it back. Any thread."""

    def __init__(self) -> None:
        """Start the daemon and wait until it listens. Raises `PcscdRefused`."""
        check_machine()
        self._directory = Path(tempfile.mkdtemp(prefix="pcscd-"))
        self._asking = threading.Lock()
        self._control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            self._holder = subprocess.Popen(
                [*_unshare(), *_this_script(), "--hold", str(self._directory), str(inside.fileno())],
                pass_fds=[inside.fileno()],
                stdin=subprocess.DEVNULL,
            )
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PrivatePcscd:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def socket_path(self) -> Path:
        """The daemon's socket, for PCSCLITE_CSOCK_NAME. libpcsclite reads the variable once in a process' life."""
        return self._directory / "run" / "pcscd.comm"

    def environment(self) -> dict[str, str]:
        """This process' environment, pointing PC/SC clients to the private daemon."""
        return os.environ | {SOCKET_VARIABLE: str(self.socket_path)}

    def vpcd_socket(self, slot: int) -> socket.socket:
        """A fresh connection to the virtual reader's slot 0 or 1."""
        (descriptor,) = self._ask(f"connect {VPCD_PORT + slot}")
        return socket.socket(fileno=descriptor)

    def kill(self) -> None:
        """SIGKILL the daemon, as a crash does; its socket and pid files stay behind."""
        self._ask("kill")

    def start(self) -> None:
        """Start the daemon (again) and wait until it listens."""
        self._ask("start")

    def close(self) -> None:
        """End the daemon and remove everything of this run. Safe to call twice."""
        self._control.close()
        self._holder.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ask(self, request: str) -> list[int]:
        """One request to the process inside; returns the descriptors that come with its answer."""
        with self._asking:
            try:
                self._control.send(request.encode())
                answer, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
            except ConnectionError:
                answer, descriptors = b"", []
        if answer != b"ok":
            raise PcscdRefused(answer.decode() or "the process that keeps pcscd has ended")
        return descriptors


def check_machine() -> None:
    """Raises `PcscdRefused` when something is missing or refused here."""
    for program in ("pcscd", "unshare", "setpriv", "mount"):
        if shutil.which(program, path=_PATH) is None:
            raise PcscdRefused(f"{program} is not installed")
    if not _VPCD_DRIVER.exists():
        raise PcscdRefused("the virtual reader is not installed (Debian package vsmartcard-vpcd)")
    tried = subprocess.run([*_unshare(), "unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise PcscdRefused(f"network and mount namespaces are refused here: {tried.stderr.strip()}")


_PATH: Final = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _unshare() -> list[str]:
    as_user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--net", *as_user]


def _this_script() -> list[str]:
    return [sys.executable, "-I", __file__]


# --- inside the network namespace -------------------------------------------------------------------------------------


class _Daemon:
    """pcscd in a mount namespace of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "run").mkdir()
        shutil.copy(_VPCD_DRIVER, directory)
        (directory / "reader.conf").write_text(_READER_CONF.format(directory=directory))

    def start(self) -> None:
        """Start and wait until the socket takes connections. Raises `PcscdRefused` with the daemon's own words."""
        log_path = self._directory / "log"
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", _RUN_PCSCD, str(self._directory)],
                env=os.environ | {"PATH": _PATH},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up_s = time.monotonic() + READY_LIMIT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > give_up_s:
                raise PcscdRefused(f"pcscd does not start: {log_path.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, with nothing cleaned up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._directory / "run" / "pcscd.comm")) == 0


def _loopback_up() -> None:
    """SIOCSIFFLAGS on lo: a new network namespace starts with it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # IFF_UP | IFF_RUNNING


def _hold(directory: Path, control: socket.socket) -> None:
    """Serve `PrivatePcscd` until it closes its end, or its process is gone."""
    daemon = _Daemon(directory)
    try:
        while request := control.recv(4096).decode().split():
            try:
                match request:
                    case ["start"]:
                        daemon.start()
                        control.send(b"ok")
                    case ["kill"]:
                        daemon.kill()
                        control.send(b"ok")
                    case ["connect", port]:
                        with socket.create_connection(("127.0.0.1", int(port))) as connection:
                            socket.send_fds(control, [b"ok"], [connection.fileno()])
                    case _:
                        control.send(b"unknown request")
            except (PcscdRefused, OSError) as refusal:
                control.send(str(refusal).encode()[:4000])
    finally:
        daemon.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _run_inside(command: list[str]) -> int:
    """Run the command beside the daemon; returns its exit status."""
    with tempfile.TemporaryDirectory(prefix="pcscd-") as directory:
        daemon = _Daemon(Path(directory))
        try:
            daemon.start()
            path = str(Path(directory) / "run" / "pcscd.comm")
            with subprocess.Popen(command, env=os.environ | {SOCKET_VARIABLE: path}) as process:
                signal.signal(signal.SIGTERM, lambda *_: process.terminate())
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
                return process.wait()
        finally:
            daemon.kill()


def _enter(command: list[str]) -> NoReturn:
    inside = [*_unshare(), *_this_script(), "--inside", *command]
    os.execvp(inside[0], inside)  # noqa: S606


def main(arguments: list[str]) -> int:
    """`-- COMMAND…`; the other forms are this module's own, inside the namespace."""
    match arguments:
        case ["--hold", directory, descriptor]:
            _loopback_up()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with socket.socket(fileno=int(descriptor)) as control:
                _hold(Path(directory), control)
            return 0
        case ["--inside", *command]:
            _loopback_up()
            return _run_inside(command)
        case ["--", _, *_]:
            check_machine()
            _enter(arguments[1:])
        case _:
            print("usage: python -m simulators.reader.private_pcscd -- COMMAND [ARGUMENT …]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PcscdRefused as refusal:
        sys.exit(f"no private pcscd: {refusal}")
