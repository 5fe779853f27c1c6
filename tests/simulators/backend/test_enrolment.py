"""Enrolment by ticket: once, repeatable with the same keys, counted and refused with others."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from sqlalchemy import select

from kiosk.sync.csr import build_csr
from kiosk.sync.enrol import EnrolError, enrol
from kiosk.sync.keys import SoftwareKey
from simulators.backend import schema
from simulators.backend.admin import command
from simulators.backend.authority import kiosk_of, open_authority
from simulators.backend.clock import system_utc_s
from simulators.backend.clock import utc as as_datetime
from simulators.backend.files import DataDir
from simulators.backend.operator import OperatorError
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled
from tests.simulators.backend.observer import Observer


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def ticket(data_dir: Path, ready: Ready) -> str:
    assert ready.enrol_origin
    return str(command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})["ticket"])


def csr(ticket: str, *, kiosk: str = "borne-0001", tls: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    return build_csr(
        kiosk=kiosk,
        kiosk_serial="SN-1",
        tls_private=tls or new_key(),
        signing_key=SoftwareKey(f"{kiosk}/1", new_key()),
        ticket=ticket,
    )


def ask(
    ready: Ready,
    method: str,
    path: str,
    *,
    ticket: str | None = None,
    body: bytes | None = None,
    content_type: str = "application/pkcs10",
) -> tuple[int, dict[str, str], bytes]:
    headers = {"content-type": content_type}
    if ticket is not None:
        headers["authorization"] = "Basic " + base64.b64encode(ticket.encode()).decode()
    connection = http.client.HTTPSConnection(
        ready.enrol_origin.removeprefix("https://"),
        context=ssl.create_default_context(cafile=ready.ca_file),
        timeout=10,
    )
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def simple_enroll(ready: Ready, ticket: str | None, request: bytes) -> tuple[int, dict[str, str], bytes]:
    return ask(ready, "POST", "/.well-known/est/simpleenroll", ticket=ticket, body=base64.encodebytes(request))


def certificates(body: bytes) -> list[x509.Certificate]:
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))


def test_the_certificate_names_the_kiosk_and_is_signed_by_the_ca(ready: Ready, ticket: str) -> None:
    tls = new_key()
    status, headers, body = simple_enroll(ready, ticket, csr(ticket, tls=tls))
    assert (status, headers["kiosk-generation"]) == (200, "1")
    assert headers["content-type"] == "application/pkcs7-mime; smime-type=certs-only"
    [certificate] = certificates(body)
    assert certificate.public_key() == tls.public_key()
    [authority] = certificates(ask(ready, "GET", "/.well-known/est/cacerts")[2])
    certificate.verify_directly_issued_by(authority)
    assert authority == x509.load_pem_x509_certificate(Path(ready.ca_file).read_bytes())
    days = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days
    assert days == 14


def test_a_repeat_gives_the_same_and_other_keys_are_refused_and_counted(
    ready: Ready, ticket: str, observer: Observer
) -> None:
    request = csr(ticket)
    first = simple_enroll(ready, ticket, request)
    assert simple_enroll(ready, ticket, request)[2] == first[2]
    assert simple_enroll(ready, ticket, csr(ticket))[0] == 401
    assert observer.scalar(select(schema.ticket.c.failures)) == 1
    assert simple_enroll(ready, ticket, request)[2] == first[2]


def test_the_same_keys_with_a_second_ticket_are_registered_anew_and_may_repeat_it(
    ready: Ready, ticket: str, data_dir: Path
) -> None:
    """The first ticket's answer was lost, and the ticket with it: the kiosk's keys stay what they are."""
    tls, signing = new_key(), SoftwareKey("borne-0001/1", new_key())
    second = str(command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})["ticket"])
    given = []
    for text in (ticket, second, second, ticket):
        request = build_csr(kiosk="borne-0001", kiosk_serial="SN-1", tls_private=tls, signing_key=signing, ticket=text)
        status, headers, _ = simple_enroll(ready, text, request)
        given.append((status, headers.get("kiosk-generation")))
    assert given == [(200, "1"), (200, "2"), (200, "2"), (200, "2")]


@pytest.mark.parametrize(("after_s", "status"), [(7 * 86_400 - 1, 200), (7 * 86_400, 401)])
def test_a_ticket_expires(ready: Ready, ticket: str, utc: FakeUtc, after_s: int, status: int) -> None:
    utc.now_s += after_s
    assert simple_enroll(ready, ticket, csr(ticket))[0] == status


def test_five_bad_requests_end_a_ticket(ready: Ready, ticket: str) -> None:
    for _ in range(5):
        assert simple_enroll(ready, ticket, b"no request")[0] == 400
    assert simple_enroll(ready, ticket, csr(ticket))[0] == 401


def test_a_request_is_bound_to_its_ticket_and_kiosk(ready: Ready, ticket: str, data_dir: Path) -> None:
    other = str(command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0002", "site_kind": "agency"})["ticket"])
    assert simple_enroll(ready, ticket, csr(other))[0] == 400
    assert simple_enroll(ready, ticket, csr(ticket, kiosk="borne-0002"))[0] == 400


@pytest.mark.parametrize(
    "bad", [None, "borne-0001:" + "0" * 32, "borne-0001", "borne-0001:xyz", "srv:" + "0" * 32, "x" * 300]
)
def test_what_is_no_ticket_is_refused(ready: Ready, ticket: str, bad: str | None) -> None:
    assert simple_enroll(ready, bad, csr(ticket))[0] == 401


def test_limits_and_forms(ready: Ready, ticket: str) -> None:
    path = "/.well-known/est/simpleenroll"
    assert ask(ready, "POST", path, ticket=ticket, body=b"A" * 9000)[0] == 413
    assert ask(ready, "POST", path, ticket=ticket, body=b"AA==", content_type="text/plain")[0] == 400
    assert ask(ready, "GET", path)[0] == 404
    assert ask(ready, "GET", "/v1/events")[0] == 404


def test_the_ticket_is_stored_hashed(ready: Ready, ticket: str, data_dir: Path, observer: Observer) -> None:
    secret = ticket.partition(":")[2]
    assert ready.origin
    stored = observer.scalar(select(schema.ticket.c.secret_sha256))
    assert len(stored) == 32
    files = [path.read_bytes() for path in data_dir.iterdir() if path.is_file()]
    assert all(secret.encode() not in content and bytes.fromhex(secret) not in content for content in files)


def test_a_further_enrolment_retires_the_older_key(
    kiosk: KioskSide, ready: Ready, data_dir: Path, utc: FakeUtc, tmp_path: Path
) -> None:
    again = enrolled(data_dir, ready, utc, tmp_path / "again")
    assert again.identity.signing_key.keyid == "borne-0001/2"
    again.good("/v1/sync/state", {"batch_seq": 1})
    assert kiosk.refused("/v1/sync/state", {"batch_seq": 1}) == (403, "key_state", "BAD_SIGNATURE")


@pytest.mark.parametrize("name", ["srv", "Borne", "", "-a", "a" * 49, "a/b", "a:b"])
def test_a_ticket_for_an_impossible_name_is_refused(data_dir: Path, ready: Ready, name: str) -> None:
    assert ready.origin
    with pytest.raises(OperatorError, match=r"^kiosk: "):
        command(DataDir(data_dir), {"do": "ticket", "kiosk": name, "site_kind": "agency"})


def test_another_ca_is_not_trusted(ready: Ready, ticket: str, tmp_path: Path) -> None:
    other = DataDir(tmp_path / "other")
    other.create()
    open_authority(other, as_datetime(system_utc_s()))
    result = enrol(
        origin=ready.enrol_origin,
        ca_file=other.ca_file,
        ticket_text=ticket,
        state_dir=tmp_path / "state",
        kiosk_serial="SN",
    )
    assert isinstance(result, EnrolError)
    assert result.field == "network"


def test_no_certificate_names_no_kiosk(ready: Ready) -> None:
    authority = x509.load_pem_x509_certificate(Path(ready.ca_file).read_bytes())
    assert kiosk_of(None) is None
    assert kiosk_of(authority.public_bytes(Encoding.DER)) is None
