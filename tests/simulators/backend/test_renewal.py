"""Renewal, recovery and revocation over real TLS: what each listener takes, refuses, and tells the operator."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import http.client
import json
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import select

from kiosk.sync.csr import build_csr, build_renewal_csr
from kiosk.sync.enrol import EnrolError, enrol
from kiosk.sync.identity import Identities, Identity, load_identities
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.renewal import RECOVER_ROUTE, REENROLL_ROUTE, Renewal, RenewalError
from kiosk.visit.ports import SigningKey
from simulators.backend import certificates, schema
from simulators.backend.authority import CLIENT_LIFETIME, open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.server import Ready
from simulators.backend.tls import ServerTls
from tests.simulators.backend.kiosk_side import KioskSide, enrolled
from tests.simulators.backend.observer import Observer
from tests.simulators.backend.test_channel import signed
from tests.simulators.backend.test_enrolment import ask

DAY_S = 86_400
STATE = "/v1/policy/state"
KNOWN: dict[str, Any] = {"known": {}}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def software_key() -> SoftwareKey:
    return SoftwareKey("", new_key())


def renewal_csr(side: KioskSide, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "kiosk": side.identity.kiosk,
        "kiosk_serial": "SN-0001",
        "tls_private": new_key(),
        "signing_key": software_key(),
        "authorised_by": side.identity.signing_key,
    }
    return build_renewal_csr(**{**arguments, **changes})


def reenrol(kiosk: KioskSide, csr: bytes, tls: ssl.SSLContext | None = None) -> tuple[int, dict[str, str], bytes]:
    body = base64.b64encode(csr)
    status, fields, answer = kiosk.send(REENROLL_ROUTE, body, {"content-type": "application/pkcs10"}, tls=tls)
    return status, {name.decode().lower(): value.decode() for name, value in fields}, answer


def recover(ready: Ready, identity: Identity, request: bytes, **changes: Any) -> tuple[int, dict[str, str], bytes]:
    old = x509.load_pem_x509_certificate(identity.certificate_pem).public_bytes(serialization.Encoding.DER)
    body = {"certificate": base64.b64encode(old).decode(), "csr": base64.b64encode(request).decode(), **changes}
    raw = json.dumps(body).encode()
    return ask(ready, "POST", RECOVER_ROUTE, body=raw, content_type="application/json")


def states(observer: Observer) -> dict[str, str]:
    table = schema.kiosk_key.c
    rows = observer.database.run(lambda connection: connection.execute(select(table.keyid, table.state)).all())
    return {row[0]: row[1] for row in rows}


def under_new_keys(kiosk: KioskSide, tls: ec.EllipticCurvePrivateKey, key: SigningKey, answer: bytes) -> KioskSide:
    """The same kiosk with what `answer` has certified."""
    [certificate] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
    pem = tls.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    identity = replace(
        kiosk.identity,
        signing_key=key,
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        tls_key_pem=pem,
    )
    return KioskSide(kiosk.data, identity, kiosk.utc)


def test_a_renewal_over_mutual_tls(kiosk: KioskSide, observer: Observer) -> None:
    tls, key = new_key(), software_key()
    status, fields, answer = reenrol(kiosk, renewal_csr(kiosk, tls_private=tls, signing_key=key))
    assert (status, fields["kiosk-generation"]) == (200, "2")
    assert states(observer) == {"borne-0001/1": "active", "borne-0001/2": "pending"}
    kiosk.good(STATE, KNOWN)
    assert states(observer)["borne-0001/2"] == "pending", "the old key activates nothing"
    key.keyid = "borne-0001/2"
    renewed = under_new_keys(kiosk, tls, key, answer)
    renewed.good(STATE, KNOWN)
    assert states(observer) == {"borne-0001/1": "grace", "borne-0001/2": "active"}
    kiosk.good(STATE, KNOWN)
    kiosk.utc.now_s += DAY_S
    assert kiosk.refused(STATE, KNOWN) == (403, "key_state", "BAD_SIGNATURE")
    renewed.good(STATE, KNOWN)


@pytest.mark.parametrize("options", [{"created_s": -3600}, {"nonce": "A" * 21 + "Q"}], ids=["late", "replayed"])
def test_only_a_valid_request_activates(kiosk: KioskSide, observer: Observer, options: dict[str, Any]) -> None:
    tls, key = new_key(), software_key()
    answer = reenrol(kiosk, renewal_csr(kiosk, tls_private=tls, signing_key=key))[2]
    key.keyid = "borne-0001/2"
    renewed = under_new_keys(kiosk, tls, key, answer)
    if "nonce" in options:
        renewed.good(STATE, KNOWN)
        observer.execute(schema.kiosk_key.update().where(schema.kiosk_key.c.keyid == key.keyid).values(state="pending"))
        first = renewed.call(STATE, KNOWN, nonce=options["nonce"])
        assert first[0] == 200
        observer.execute(schema.kiosk_key.update().where(schema.kiosk_key.c.keyid == key.keyid).values(state="pending"))
    else:
        options = {"created_s": kiosk.utc() + options["created_s"]}
    assert renewed.call(STATE, KNOWN, **options)[0] == 401
    assert states(observer)["borne-0001/2"] == "pending"


def test_a_repeat_gives_the_same_and_later_a_fresh_certificate_for_the_same_keys(
    kiosk: KioskSide, observer: Observer
) -> None:
    csr = renewal_csr(kiosk)
    first = reenrol(kiosk, csr)
    assert reenrol(kiosk, csr)[1:] == first[1:]
    kiosk.utc.now_s += int(CLIENT_LIFETIME.total_seconds()) // 2
    later = reenrol(kiosk, csr)
    assert later[1]["kiosk-generation"] == "2"
    [old], [new] = (pkcs7.load_der_pkcs7_certificates(base64.b64decode(each[2])) for each in (first, later))
    assert new.public_key() == old.public_key()
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert states(observer) == {"borne-0001/1": "active", "borne-0001/2": "pending"}


class _Stranger:
    """Says to be a key of the kiosk, and is not."""

    keyid, alg = "borne-0001/1", "ecdsa-p256-sha256"

    def __init__(self) -> None:
        self._key = software_key()

    def public_spki(self) -> bytes:
        return self._key.public_spki()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def _named(keyid: str, key: SigningKey) -> SigningKey:
    named = _Stranger()
    named.keyid, named._key = keyid, key  # type: ignore[assignment]  # any key does
    return named


def test_what_a_renewal_must_prove(kiosk: KioskSide, observer: Observer, ready: Ready, tmp_path: Path) -> None:
    """A stolen TLS key certifies no signing key; a signing key of one kiosk none of another's."""
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    own, foreign = kiosk.identity.signing_key, other.identity.signing_key
    without = build_csr(
        kiosk="borne-0001", kiosk_serial="1", tls_private=new_key(), signing_key=software_key(), ticket="borne-0001/1"
    )
    before = observer.changes()
    rows: list[tuple[str, bytes, ssl.SSLContext, int]] = [
        ("no signing key's word", without, kiosk.tls, 400),
        ("a stranger's signature", renewal_csr(kiosk, authorised_by=_Stranger()), kiosk.tls, 400),
        ("another kiosk's key", renewal_csr(kiosk, authorised_by=foreign), kiosk.tls, 400),
        ("another kiosk's name", renewal_csr(kiosk, kiosk="borne-0002"), kiosk.tls, 400),
        ("another kiosk's certificate", renewal_csr(kiosk), other.tls, 401),
        ("an unknown generation", renewal_csr(kiosk, authorised_by=_named("borne-0001/7", own)), kiosk.tls, 400),
        ("no request", b"\x30\x00", kiosk.tls, 400),
        ("the signature cut", renewal_csr(kiosk)[:-1], kiosk.tls, 400),
    ]
    for name, csr, tls, status in rows:
        assert reenrol(kiosk, csr, tls)[0] == status, name
    assert observer.changes() == before
    fields = {"content-type": "application/json"}
    assert kiosk.send(REENROLL_ROUTE, b"AA==", fields)[0] == 400
    assert kiosk.send(REENROLL_ROUTE, b"A" * 9000, {"content-type": "application/pkcs10"})[0] == 413
    assert kiosk.send(REENROLL_ROUTE, b"", {}, method="GET")[0] == 400


def test_a_request_cannot_be_given_another_key(kiosk: KioskSide) -> None:
    """The old key's word is for one pair of new keys."""
    honest = x509.load_der_x509_csr(renewal_csr(kiosk))
    tls = new_key()
    forged = x509.CertificateSigningRequestBuilder().subject_name(honest.subject)
    for extension in honest.extensions:
        forged = forged.add_extension(extension.value, critical=False)
    assert reenrol(kiosk, forged.sign(tls, hashes.SHA256()).public_bytes(serialization.Encoding.DER))[0] == 400


@pytest.mark.parametrize(
    ("state", "status", "alarm"),
    [("revoked", 403, {}), ("retired", 401, {"old_key": 1}), ("grace", 401, {"old_key": 1}), ("pending", 200, {})],
)
def test_the_state_of_the_key_that_authorises(
    kiosk: KioskSide, observer: Observer, state: str, status: int, alarm: dict[str, int]
) -> None:
    observer.execute(schema.kiosk_key.update().values(state=state))
    same = {"signing_key": kiosk.identity.signing_key} if state == "pending" else {}
    assert reenrol(kiosk, renewal_csr(kiosk, **same))[0] == status
    assert {row["kind"]: row["times"] for row in kiosk.operate("keys")["alarms"]} == alarm


def test_recovery(kiosk: KioskSide, ready: Ready, observer: Observer) -> None:
    """Without a client certificate: the old one is in the body, and its end is not longer ago than thirty days."""
    tls = new_key()
    csr = renewal_csr(kiosk, tls_private=tls)
    kiosk.utc.now_s = kiosk.identity.certificate_until_s + 30 * DAY_S
    status, fields, answer = recover(ready, kiosk.identity, csr)
    assert (status, fields["kiosk-generation"]) == (200, "2")
    kiosk.utc.now_s += 1
    assert recover(ready, kiosk.identity, csr)[0] == 401
    assert states(observer) == {"borne-0001/1": "active", "borne-0001/2": "pending"}
    [certificate] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
    assert certificate.public_key() == tls.public_key()


def test_what_a_recovery_must_prove(kiosk: KioskSide, ready: Ready, observer: Observer, tmp_path: Path) -> None:
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    ca_der = x509.load_pem_x509_certificate(Path(ready.ca_file).read_bytes()).public_bytes(serialization.Encoding.DER)
    own = _self_made("borne-0001")
    before = observer.changes()
    csr = renewal_csr(kiosk)
    assert recover(ready, other.identity, csr)[0] == 401
    assert recover(ready, kiosk.identity, csr, certificate=base64.b64encode(own).decode())[0] == 401
    assert recover(ready, kiosk.identity, csr, certificate=base64.b64encode(ca_der).decode())[0] == 401
    assert recover(ready, kiosk.identity, renewal_csr(kiosk, authorised_by=_Stranger()))[0] == 400
    for bad in ({"csr": 1}, {"csr": None}, {"certificate": "%"}, {"certificate": ""}, {"csr": "é"}):
        assert recover(ready, kiosk.identity, csr, **bad)[0] in (400, 401)
    for raw in (b"", b"[]", b"{", b'{"csr":"","csr":""}'):
        assert ask(ready, "POST", RECOVER_ROUTE, body=raw, content_type="application/json")[0] == 400
    assert ask(ready, "POST", RECOVER_ROUTE, body=b"{}", content_type="text/plain")[0] == 400
    assert ask(ready, "POST", RECOVER_ROUTE, body=b" " * 20_000, content_type="application/json")[0] == 413
    assert observer.changes() == before


def test_a_revoked_certificate_recovers_nothing_even_beside_a_good_key(
    kiosk: KioskSide, ready: Ready, observer: Observer
) -> None:
    observer.execute(schema.certificate.update().values(revoked_s=kiosk.utc()))
    assert recover(ready, kiosk.identity, renewal_csr(kiosk))[0] == 403
    assert states(observer) == {"borne-0001/1": "active"}


def _self_made(kiosk: str) -> bytes:

    key, now = new_key(), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, f"borne {kiosk}")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:kiosk:{kiosk}")]), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


# --- revocation, layer by layer -----------------------------------------------------------------------------------


def test_a_revoked_kiosk_gets_no_new_connection_and_its_old_one_no_answer_but_a_signed_no(
    kiosk: KioskSide, ready: Ready, tmp_path: Path
) -> None:
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")

    connection = http.client.HTTPSConnection(kiosk.authority, context=kiosk.tls, timeout=10)
    connection.connect()
    assert kiosk.operate("revoke") == {"keys": 1, "certificates": 1}
    # (a) over the connection that exists: a signed refusal

    raw = json.dumps(KNOWN).encode()
    connection.request("POST", STATE, raw, signed(kiosk, raw, STATE))
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["reason"]) == (403, "key_state")
    assert response.getheader("signature") is not None
    # (c) no renewal over it
    connection.request(
        "POST", REENROLL_ROUTE, base64.b64encode(renewal_csr(kiosk)), {"content-type": "application/pkcs10"}
    )
    assert connection.getresponse().status == 403
    connection.close()
    # (b) no other connection, at once and for this kiosk only; no recovery either
    with pytest.raises((ssl.SSLError, ConnectionError)):
        kiosk.send(STATE, raw, signed(kiosk, raw, STATE))
    other.good(STATE, KNOWN)
    assert recover(ready, kiosk.identity, renewal_csr(kiosk))[0] == 403
    # (d) quarantine
    shown = kiosk.operate("keys")
    assert shown["quarantine"] == "stop"
    assert [(key["keyid"], key["state"]) for key in shown["keys"]] == [("borne-0001/1", "revoked")]
    assert shown["certificates"][0]["revoked_s"] == kiosk.utc()


def test_a_revocation_ends_the_tickets_too(kiosk: KioskSide, ready: Ready, tmp_path: Path) -> None:
    ticket = kiosk.operate("ticket", site_kind="agency")["ticket"]
    kiosk.operate("revoke")

    refused = enrol(
        origin=ready.enrol_origin,
        ca_file=Path(ready.ca_file),
        ticket_text=ticket,
        state_dir=tmp_path / "again",
        kiosk_serial="SN",
    )
    assert isinstance(refused, EnrolError)
    again = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "anew")
    again.good(STATE, KNOWN)


def test_the_list_is_renewed_before_it_ends_and_the_newest_counts(
    kiosk: KioskSide, observer: Observer, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:

    assert ready.origin
    authority = open_authority(kiosk.data, utc(system_utc_s()))
    context = ServerTls(kiosk.data).signed
    loaded: list[int] = []
    revoked = certificates.ListInForce(context, certificates.RevocationList(observer.database, authority).current)
    real = certificates._signed_list

    def counted(*arguments: Any) -> x509.CertificateRevocationList:
        crl = real(*arguments)
        loaded.append(len(crl))
        lasts = crl.next_update_utc - dt.datetime.now(dt.UTC) if crl.next_update_utc else dt.timedelta()
        assert lasts > certificates.CRL_RENEWAL
        return crl

    monkeypatch.setattr(certificates, "_signed_list", counted)
    asyncio.run(revoked.refresh())
    asyncio.run(revoked.refresh())
    assert loaded == [0]
    observer.execute(schema.certificate.update().values(revoked_s=kiosk.utc()))
    asyncio.run(revoked.refresh())
    asyncio.run(revoked.refresh())
    assert loaded == [0, 1]
    later = system_utc_s() + int(certificates.CRL_RENEWAL.total_seconds()) + 60
    monkeypatch.setattr(certificates, "system_utc_s", lambda: later)
    asyncio.run(revoked.refresh())
    assert loaded == [0, 1, 1]


def test_without_a_list_nobody_gets_in(kiosk: KioskSide, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the first list is loaded before the listener opens."""

    context = ServerTls(kiosk.data).signed
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    assert context.num_tickets == 0
    server_in, server_out, client_in, client_out = (ssl.MemoryBIO() for _ in range(4))
    server = context.wrap_bio(server_in, server_out, server_side=True)
    client = kiosk.tls.wrap_bio(client_in, client_out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    server_in.write(client_out.read())
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    client_in.write(server_out.read())
    client.do_handshake()
    server_in.write(client_out.read())
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get certificate CRL"):
        server.do_handshake()


# --- the kiosk's own code -----------------------------------------------------------------------------------------


def test_the_kiosk_renews_and_recovers_over_real_tls(
    kiosk: KioskSide, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for route_time_s in (kiosk.utc(), kiosk.identity.certificate_until_s + DAY_S):
        held = load_identities(kiosk.identity.directory)
        assert isinstance(held, Identities)
        renewal = Renewal(held, "SN-0001")
        assert renewal.request(route_time_s) is None
        assert renewal.following is not None
        under_new = KioskSide(kiosk.data, renewal.following, kiosk.utc)
        under_new.good(STATE, KNOWN)
        assert renewal.adopt() is None
    assert states(observer) == {"borne-0001/1": "grace", "borne-0001/2": "grace", "borne-0001/3": "active"}
    reloaded = load_identities(kiosk.identity.directory)
    assert isinstance(reloaded, Identities)
    assert reloaded.current.signing_key.keyid == "borne-0001/3"
    kiosk.operate("revoke")
    refused = Renewal(reloaded, "SN-0001").request(kiosk.utc())
    assert isinstance(refused, RenewalError)
    assert refused.field == "network", "TLS refuses the certificate"
