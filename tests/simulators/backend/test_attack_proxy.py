"""The attack matrix, class 10, with a real proxy in the way: haproxy that passes TLS on, and haproxy that ends it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.backend.files import DataDir
from tests.simulators.backend.attack_stage import CLOSED, Stage, speak, wire
from tests.simulators.backend.kiosk_side import KioskSide
from tests.simulators.backend.test_attack_framing import PROBES, fresh

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin") or "haproxy"
COMMON = """
defaults
    timeout connect 5s
    timeout client 20s
    timeout server 20s
"""
PASSED_ON = """
listen kiosks
    mode tcp
    bind fd@{listener}
    server backend {backend}
"""
ENDED = """
listen kiosks
    mode http
    option httpclose
    bind fd@{listener} ssl crt {folder}/server.pem alpn http/1.1
    server backend {backend} ssl verify none {client}
"""


@contextmanager
def proxy(stage: Stage, folder: Path, form: str, client: str = "") -> Iterator[str]:
    """haproxy before the stage's backend; its origin. It inherits a socket that listens: nobody waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        backend = stage.origin.removeprefix("https://")
        settings = folder / "haproxy.cfg"
        settings.write_text(
            COMMON + form.format(listener=listener.fileno(), backend=backend, folder=folder, client=client)
        )
        process = subprocess.Popen(
            [HAPROXY, "-db", "-q", "-f", settings], pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL
        )
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def folder(standing_stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a proxy that ends TLS holds: the server's certificate, and a kiosk's for the worst case."""
    folder = tmp_path_factory.mktemp("proxy")
    data = DataDir(Path(standing_stage.ready.ca_file).parent)
    (folder / "server.pem").write_bytes((data.root / "tls.pem").read_bytes() + data.key_file("tls").read_bytes())
    for name, side in (("own", standing_stage.own), ("other", standing_stage.other)):
        (folder / f"{name}.pem").write_bytes(certificate_and_key(side))
    return folder


def certificate_and_key(side: KioskSide) -> bytes:
    return side.identity.certificate_pem + side.identity.tls_key_pem


@pytest.fixture(scope="module")
def passing(standing_stage: Stage, folder: Path) -> Iterator[str]:
    with proxy(standing_stage, folder, PASSED_ON) as origin:
        yield origin


@pytest.fixture(scope="module")
def parsing(standing_stage: Stage, folder: Path) -> Iterator[str]:
    """The worst that can be built: it ends TLS, holds the kiosk's own certificate and reads HTTP before us."""
    with proxy(standing_stage, folder, ENDED, f"crt {folder}/own.pem") as origin:
        yield origin


def verdicts(stage: Stage, origin: str, raw: bytes) -> list[int]:
    return [heard.status for heard in speak(origin, stage.own.tls, raw, answers=2)]


@pytest.mark.parametrize("name", PROBES)
def test_a_frame_has_the_same_verdict_through_a_proxy_that_passes_tls_on(
    standing_stage: Stage, passing: str, name: str
) -> None:
    raw = PROBES[name](wire(fresh(standing_stage)))
    standing_stage.quiet()
    assert verdicts(standing_stage, passing, raw) == verdicts(standing_stage, standing_stage.origin, raw)
    assert standing_stage.quiet() == []


def test_two_requests_in_one_packet_have_two_verdicts_through_it(standing_stage: Stage, passing: str) -> None:
    one, two = fresh(standing_stage), fresh(standing_stage)
    heard = speak(passing, standing_stage.own.tls, wire(one) + wire(two).replace(b"seq", b"sEq"), answers=2)
    assert [answer.status for answer in heard] == [200, 400]
    assert standing_stage.proven(one, heard[0])["applied"] is False


@pytest.mark.parametrize(("client", "status"), [("", 502), ("crt {folder}/other.pem", 401)])
def test_behind_a_proxy_that_ends_tls_no_signed_request_is_taken(
    standing_stage: Stage, folder: Path, client: str, status: int
) -> None:
    stage = standing_stage
    before = stage.changes()
    stage.quiet()
    with proxy(stage, folder, ENDED, client.format(folder=folder)) as origin:
        for _ in range(2):
            heard = speak(origin, stage.own.tls, wire(fresh(stage)))[0]
            assert (heard.status, heard.is_signed) == (status, False)
    assert stage.quiet() == []
    assert stage.changes() == before


@pytest.mark.parametrize("name", PROBES)
def test_behind_a_proxy_that_reads_http_a_frame_is_refused_or_is_the_one_request_that_was_signed(
    standing_stage: Stage, parsing: str, name: str
) -> None:
    stage, message = standing_stage, fresh(standing_stage)
    stage.quiet()
    first, second = speak(parsing, stage.own.tls, PROBES[name](wire(message)), answers=2)
    taken = [statement for statement in stage.quiet() if "INTO nonce" in statement]
    assert second.status == CLOSED
    if first.status == 200:  # the proxy has put it in order, as it would have been without the attack
        assert stage.proven(message, first) == {"applied": False, "last_seq": 0}
        assert len(taken) == 1
    else:
        assert (first.status in (CLOSED, 400), first.is_signed, taken) == (True, False, [])
