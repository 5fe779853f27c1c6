"""The server's certificate: when it is renewed, by whom, and that nobody notices."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import os
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from simulators.backend import certificates, in_thread, server, tls
from simulators.backend.authority import CLIENT_LIFETIME, SERVER_LIFETIME, Authority, open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.files import DataDir, write_private
from simulators.backend.server import Ready
from simulators.backend.tls import ServerCertificate, ServerTls
from tests.simulators.backend.kiosk_side import FakeUtc, enrolled
from tests.simulators.backend.test_intake import STATE
from tests.simulators.backend.tls_side import WAIT_S, Met, OneConnection, knock, until

DAY_S = 86_400
NOW_S = 1_800_000_000
KNOWN = {"batch_seq": 1}


@pytest.fixture
def data(data_dir: Path) -> DataDir:
    return DataDir(data_dir)


@pytest.fixture
def authority(data: DataDir) -> Authority:
    return open_authority(data, utc(NOW_S))


def on_file(data: DataDir) -> x509.Certificate:
    return x509.load_pem_x509_certificate((data.root / "tls.pem").read_bytes())


@pytest.mark.parametrize(
    ("passed_s", "is_renewed"),
    [
        (0, False),
        (19 * DAY_S, False),
        (DAY_S * 59 // 3 - 1, False),
        (DAY_S * 59 // 3, True),
        (29 * DAY_S, True),
        (40 * DAY_S, True),  # the machine has slept
        (-DAY_S, False),
        (-DAY_S - 1, True),  # the clock was wrong when it was made, and nobody would take it
    ],
)
def test_it_is_renewed_when_two_thirds_of_its_life_are_over(
    data: DataDir, authority: Authority, passed_s: int, is_renewed: bool
) -> None:
    clock = FakeUtc(NOW_S)
    certificate = ServerCertificate(data, authority, clock)
    first = on_file(data)
    assert first.not_valid_after_utc - utc(NOW_S) == SERVER_LIFETIME > CLIENT_LIFETIME
    clock.now_s += passed_s
    certificate.renew()
    second = on_file(data)
    assert (second != first) is is_renewed
    assert second.not_valid_before_utc <= utc(clock.now_s) < second.not_valid_after_utc
    certificate.renew()
    assert on_file(data) == second  # once


def test_a_kiosk_sees_the_same_server_in_both(data: DataDir, authority: Authority) -> None:
    clock = FakeUtc(NOW_S)
    certificate = ServerCertificate(data, authority, clock)
    first = on_file(data)
    clock.now_s += 21 * DAY_S
    certificate.renew()
    second = on_file(data)
    assert first.serial_number != second.serial_number
    assert (first.issuer, first.subject) == (second.issuer, second.subject)
    assert first.public_key() == second.public_key() == authority.tls_key.public_key()
    names = [one.extensions.get_extension_for_class(x509.SubjectAlternativeName) for one in (first, second)]
    assert names[0] == names[1]
    slow = utc(clock.now_s) - dt.timedelta(hours=23)  # a kiosk's clock, which took the first without a word
    assert second.not_valid_before_utc < slow


def test_a_certificate_that_cannot_be_written_is_tried_again(
    data: DataDir, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeUtc(NOW_S)
    certificate = ServerCertificate(data, authority, clock)
    first, attempts = on_file(data), 0

    def write_at_last(path: Path, content: bytes) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise OSError(28, "No space left on device")
        write_private(path, content)

    async def live() -> None:
        with certificate.kept():
            while on_file(data) == first:
                await asyncio.sleep(0)

    monkeypatch.setattr(tls, "write_private", write_at_last)
    monkeypatch.setattr(tls, "JUDGE_EVERY_S", 0.0)
    clock.now_s += 21 * DAY_S
    asyncio.run(asyncio.wait_for(live(), WAIT_S))
    said = capsys.readouterr().err
    assert said.count('"event":"server certificate not renewed"') == 2
    assert said.count('"event":"server certificate renewed"') == 1


@pytest.mark.parametrize(
    ("damage", "error"),
    [(b"", ssl.SSLError), (b"-----BEGIN CERTIFICATE-----\n", ssl.SSLError), (None, FileNotFoundError)],
)
def test_a_damaged_file_changes_nothing(
    data: DataDir, authority: Authority, damage: bytes | None, error: type[OSError]
) -> None:
    ServerCertificate(data, authority, lambda: NOW_S)
    shown = ServerTls(data)
    file = data.root / "tls.pem"
    good = file.read_bytes()
    until_s = NOW_S + int(SERVER_LIFETIME.total_seconds())
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    with pytest.raises(error):
        shown.refresh()
    assert shown.until_s == until_s
    file.write_bytes(good)
    shown.refresh()
    assert shown.until_s == until_s


def test_a_list_that_cannot_be_loaded_is_tried_again(
    data: DataDir, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ServerCertificate(data, authority, system_utc_s)
    context, make, attempts = ServerTls(data).signed, os.memfd_create, 0
    pem = certificates._signed_list(authority, ("1",), utc(NOW_S)).public_bytes(serialization.Encoding.PEM)

    def make_at_last(name: str, flags: int) -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise OSError(24, "Too many open files")
        return make(name, flags)

    async def read() -> bytes:
        return pem

    async def live() -> None:
        keeping = asyncio.create_task(certificates.ListInForce(context, read).keep())
        while context.cert_store_stats()["crl"] == 0:
            await asyncio.sleep(0)
        keeping.cancel()

    monkeypatch.setattr(os, "memfd_create", make_at_last)
    monkeypatch.setattr(certificates, "LOOK_EVERY_S", 0.0)
    asyncio.run(asyncio.wait_for(live(), WAIT_S))
    assert capsys.readouterr().err.count('"event":"revocation list not loaded"') == 2


# --- a backend that runs -------------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeUtc:
    """The machine's clock as whoever makes the certificate reads it; kiosks and OpenSSL have the real one."""
    clock = FakeUtc(system_utc_s() - 21 * DAY_S)
    monkeypatch.setattr(server, "system_utc_s", clock)
    monkeypatch.setattr(tls, "JUDGE_EVERY_S", 0.02)
    monkeypatch.setattr(tls, "LOOK_EVERY_S", 0.02)
    return clock


@pytest.fixture
def ready(data_dir: Path, machine: FakeUtc, utc: FakeUtc) -> Iterator[Ready]:
    with in_thread(data_dir, utc, ops_port=0) as value:
        assert machine.now_s < utc.now_s
        yield value


def test_a_running_backend_shows_a_fresh_one_and_drops_nobody(
    data: DataDir, ready: Ready, machine: FakeUtc, utc: FakeUtc, tmp_path: Path
) -> None:
    kiosk = enrolled(data.root, ready, utc, tmp_path / "kiosk")
    stranger = ssl.create_default_context(cafile=ready.ca_file)
    first = on_file(data)
    connected = OneConnection(kiosk.data, kiosk.identity, utc)
    with closing(connected.connection):
        connected.good(STATE, KNOWN)
        assert connected.server == knock(ready.enrol_origin, stranger).server == first
        assert told_end_s(ready) == first.not_valid_after_utc.timestamp()
        machine.now_s = system_utc_s()
        until(lambda: knock(ready.origin, kiosk.tls).server != first)
        until(lambda: knock(ready.enrol_origin, stranger).server != first)
        second = on_file(data)
        assert knock(ready.origin, kiosk.tls) == Met(second, is_open=True)
        assert told_end_s(ready) == second.not_valid_after_utc.timestamp()
        connected.good(STATE, KNOWN)
    kiosk.good(STATE, KNOWN)


def test_a_clock_that_is_set_back_shuts_nobody_out(
    data: DataDir, utc: FakeUtc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the backend has signed for itself while its clock was ahead is valid in the hours that come again."""
    ahead = FakeUtc(system_utc_s() + DAY_S - 3600)
    monkeypatch.setattr(server, "system_utc_s", ahead)
    monkeypatch.setattr(certificates, "system_utc_s", ahead)
    with in_thread(data.root, utc) as ready:
        kiosk = enrolled(data.root, ready, utc, tmp_path / "kiosk")
        ahead.now_s = system_utc_s()
        kiosk.good(STATE, KNOWN)
        other = enrolled(data.root, ready, utc, tmp_path / "other", kiosk="borne-0002")
        other.operate("revoke")
        assert not knock(ready.origin, other.tls).is_open
        kiosk.good(STATE, KNOWN)


def told_end_s(ready: Ready) -> float:
    assert ready.ops_origin is not None
    connection = http.client.HTTPConnection(ready.ops_origin.removeprefix("http://"), timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    name = "kiosk_backend_server_certificate_end_seconds "
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))
