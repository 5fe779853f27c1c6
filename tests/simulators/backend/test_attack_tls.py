"""The attack matrix, class 13: truly signed requests over connections that must not be, or not be this kiosk's."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from simulators.backend.admin import command
from simulators.backend.authority import open_authority
from simulators.backend.files import DataDir
from tests.simulators.backend.attack_stage import CLOSED, Ears, Heard, Stage, connected, wire
from tests.sync.rfc9421 import Message

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
OURS = "urn:kiosk:borne-0001"
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Forged:
    """A client certificate by the backend's own CA unless `signer` says otherwise."""

    status: int
    uris: tuple[str, ...] = (OURS,)
    dns: tuple[str, ...] = ()
    usage: tuple[ObjectIdentifier, ...] | None = (CLIENT,)
    start: dt.datetime = NOW - DAY
    end: dt.datetime = NOW + DAY
    signer: str = "ca"  # ca | rogue | itself | kiosk


FORGERIES = {
    "as it should be": Forged(200),
    "rogue CA of the same name": Forged(CLOSED, signer="rogue"),
    "signed by itself": Forged(CLOSED, signer="itself"),
    "signed by a kiosk's own certificate": Forged(CLOSED, signer="kiosk"),
    "expired": Forged(CLOSED, end=NOW - dt.timedelta(minutes=5)),
    "not yet valid": Forged(CLOSED, start=NOW + dt.timedelta(hours=1)),
    "usage of a server": Forged(CLOSED, usage=(SERVER,)),
    "usage of something else": Forged(CLOSED, usage=(ExtendedKeyUsageOID.CODE_SIGNING,)),
    "no usage": Forged(401, usage=None),
    "no name": Forged(401, uris=()),
    "name of another kiosk": Forged(401, uris=("urn:kiosk:borne-0002",)),
    "two names": Forged(401, uris=(OURS, "urn:kiosk:borne-0002")),
    "the same name twice": Forged(401, uris=(OURS, OURS)),
    "name in capitals": Forged(401, uris=(OURS.upper(),)),
    "name with a port": Forged(401, uris=(OURS + "/1",)),
    "empty name": Forged(401, uris=("urn:kiosk:",)),
    "name of the server": Forged(401, uris=("urn:kiosk:srv",)),
    "name as a host": Forged(401, uris=(), dns=("borne-0001",)),
    "common name only": Forged(401, uris=(), dns=()),
}


def forge(stage: Stage, forged: Forged, folder: Path) -> ssl.SSLContext:
    """A context that presents such a certificate."""
    authority = open_authority(DataDir(Path(stage.ready.ca_file).parent), NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "borne-0001")])
    issuer, signer = authority.ca_certificate.subject, authority.ca_key
    extra = b""
    if forged.signer == "rogue":
        signer = ec.generate_private_key(ec.SECP256R1())
    elif forged.signer == "itself":
        issuer, signer = subject, key
    elif forged.signer == "kiosk":
        signer = ec.generate_private_key(ec.SECP256R1())
        middle = authority.issue_client("borne-0001", signer.public_key(), NOW)
        issuer, extra = middle.subject, middle.public_bytes(serialization.Encoding.PEM)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(forged.start)
        .not_valid_after(forged.end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    )
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in forged.uris]
    names += [x509.DNSName(name) for name in forged.dns]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    if forged.usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(forged.usage), False)
    certificate = builder.sign(signer, hashes.SHA256())
    chain = folder / "forged.pem"
    chain.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + extra
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(cafile=stage.ready.ca_file)
    context.load_cert_chain(chain)
    return context


def fresh(stage: Stage) -> Message:
    return stage.scene.request(idempotency_key=token_hex(16))


def over(stage: Stage, context: ssl.SSLContext, message: Message, session: ssl.SSLSession | None = None) -> Heard:
    try:
        with connected(stage.origin, context, session) as tls:
            tls.sendall(wire(message))
            return Ears(tls).hear()
    except (ssl.SSLError, ConnectionError):
        return Heard(CLOSED)


@pytest.mark.parametrize("name", FORGERIES)
def test_only_a_certificate_of_our_ca_that_names_this_kiosk_opens(
    standing_stage: Stage, tmp_path: Path, name: str
) -> None:
    stage, forged = standing_stage, FORGERIES[name]
    context = forge(stage, forged, tmp_path)
    before = stage.changes()
    stage.quiet()
    message = fresh(stage)
    heard = over(stage, context, message)
    assert heard.status == forged.status
    if forged.status == 200:
        assert stage.proven(message, heard)["applied"] is False
        return
    assert not heard.is_signed
    if forged.status == 401:
        assert json.loads(heard.body) == {"status": 401}
        assert stage.log[-1]["reason"] == "tls_identity"
    assert stage.quiet() == []
    assert stage.changes() == before


def _tls_1_2(stage: Stage) -> ssl.SSLContext:
    context = stage.own.identity.tls()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("context", [_tls_1_2, lambda stage: stage.stranger], ids=["TLS 1.2", "no certificate"])
def test_there_is_no_connection(standing_stage: Stage, context: Callable[[Stage], ssl.SSLContext]) -> None:
    stage = standing_stage
    stage.quiet()
    assert over(stage, context(stage), fresh(stage)).status == CLOSED
    assert stage.quiet() == []


def revoke(stage: Stage) -> None:
    command(DataDir(Path(stage.ready.ca_file).parent), {"do": "revoke", "kiosk": "borne-0001"})


def test_a_revoked_certificate_opens_nothing_and_other_kiosks_go_on(stage: Stage) -> None:
    assert over(stage, stage.own.tls, fresh(stage)).status == 200
    revoke(stage)
    stage.quiet()
    assert over(stage, stage.own.tls, fresh(stage)).status == CLOSED
    assert stage.quiet() == []
    theirs = stage.scene.request(key=stage.scene.other_key)
    assert over(stage, stage.other.tls, theirs).status == 200
    stage.restart()
    assert over(stage, stage.own.tls, fresh(stage)).status == CLOSED


def test_over_a_connection_from_before_the_revocation_the_key_is_told_so(stage: Stage) -> None:
    with connected(stage.origin, stage.own.tls) as tls:
        ears = Ears(tls)
        tls.sendall(wire(fresh(stage)))
        assert ears.hear().status == 200
        revoke(stage)
        message = fresh(stage)
        tls.sendall(wire(message))
        assert stage.proven(message, ears.hear())["error"]["reason"] == "key_state"


def test_no_session_is_resumed_around_the_check(stage: Stage) -> None:
    with connected(stage.origin, stage.own.tls) as first:
        first.sendall(wire(fresh(stage)))
        assert Ears(first).hear().status == 200
        session = first.session
    assert session is not None
    assert not session.has_ticket
    with connected(stage.origin, stage.own.tls, session) as second:
        assert not second.session_reused
    revoke(stage)
    assert over(stage, stage.own.tls, fresh(stage), session).status == CLOSED
