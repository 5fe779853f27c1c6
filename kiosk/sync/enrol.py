"""Enrolment: an EST subset (RFC 7030) over server-only TLS under a pinned CA, opened by a one-time ticket.

Keys are made and persisted first, so that a repeat after a lost answer sends the same keys and gets the same result.
Routes of the enrolment listener: `POST /.well-known/est/simpleenroll` (HTTP Basic: the ticket; the answer's
field `kiosk-generation` numbers the registered signing key), `GET /.well-known/kiosk/trust`.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from kiosk.store.files import sync_directory, write_private
from kiosk.sync.csr import build_csr
from kiosk.sync.enrol_record import EnrolmentRecord, last_enrolment, ticket_sha256, write_record
from kiosk.sync.fields import FieldError
from kiosk.sync.identity import (
    MAX_TRUST_BYTES,
    ORIGIN,
    Identity,
    IdentityError,
    in_force,
    load_identity,
    parse_trust,
)
from kiosk.sync.identity_files import (
    FIRST_SLOT,
    LEDGER,
    TRUST,
    Entry,
    Ledger,
    read_ledger,
    tls_certificate_file,
    tls_key_file,
    write_ledger,
)
from kiosk.sync.keys import KeyStore, KeyStoreError, load_private_pem, private_pem
from kiosk.sync.keys_open import FILE, open_key_store
from kiosk.sync.profile import owner_of
from kiosk.sync.strict_json import JsonError, decode, encode
from kiosk.sync.wire import RawAnswer, Wire, WireFailure, client_tls
from kiosk.visit.ports import SigningKey

TICKET: Final = re.compile(r"((?!srv:)[a-z0-9][a-z0-9-]{0,47}):([0-9a-f]{32})", re.ASCII)
"""`<kiosk>:<32 lower-case hex>`: user and password of HTTP Basic."""
MAX_TICKET_CHARS: Final = 81
_DEADLINE_S: Final = 20.0
MAX_ISSUED_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class EnrolError:
    """Why enrolment failed; `field` is `ticket`, `origin`, `ca_file`, `serial`, `state_dir`, `network` or `answer…`."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A checked ticket."""

    kiosk: str
    text: str

    def __repr__(self) -> str:
        return f"Ticket(kiosk={self.kiosk!r})"


def parse_ticket(text: str) -> Ticket | EnrolError:
    """Check the text of a ticket file: one line `<kiosk>:<32 hex>`; blanks around it are ignored."""
    line = text.strip()
    if not line:
        return EnrolError("ticket", "is empty")
    if len(line.splitlines()) > 1:
        return EnrolError("ticket", "has more than one line")
    if len(line) > MAX_TICKET_CHARS:
        return EnrolError("ticket", f"is longer than {MAX_TICKET_CHARS} characters")
    match = TICKET.fullmatch(line)
    if match is None:
        return EnrolError("ticket", "is not <kiosk name>:<32 lower-case hexadecimal digits>")
    return Ticket(match[1], line)


def enrol(
    *,
    origin: str,
    ca_file: Path,
    ticket_text: str,
    state_dir: Path,
    kiosk_serial: str,
    key_store: str = FILE,
    again: bool = False,
) -> Identity | EnrolError:
    """Enrol this kiosk at the enrolment listener `origin`; `kiosk_serial`: 1–64 printable ASCII characters.

    Writes keys, certificate and trust to `state_dir` (mode 0700). A repeat with the same ticket is safe, and changes
    nothing once the keys are in force. An enrolled directory is refused and left alone unless `again`: then the same
    kiosk gets new keys, and until they are certified the old ones stay in force.
    """
    ticket = parse_ticket(ticket_text)
    if isinstance(ticket, EnrolError):
        return ticket
    if not ORIGIN.fullmatch(origin):
        return EnrolError("origin", "https://<host>[:port] expected, without a final slash")
    if not re.fullmatch(r"[!-~]{1,64}", kiosk_serial, re.ASCII):
        return EnrolError("serial", "1 to 64 printable ASCII characters without blanks expected")
    try:
        ca_pem = ca_file.read_bytes()
        context = client_tls(ca_file)
    except (OSError, ssl.SSLError) as error:
        return EnrolError("ca_file", error.strerror or "not a PEM certificate")
    last = last_enrolment(state_dir)
    if isinstance(last, EnrolmentRecord) and compare_digest(last.ticket_sha256, ticket_sha256(ticket.text)):
        return _loaded(state_dir, key_store)
    try:
        slot = _slot(state_dir, ticket.kiosk, again=again)
        keys = slot if isinstance(slot, EnrolError) else _keys(state_dir, key_store, slot)
    except OSError as error:
        return EnrolError("state_dir", os.strerror(error.errno or 0))
    if isinstance(slot, EnrolError):
        return slot
    if isinstance(keys, EnrolError):
        return keys
    signing_key, tls_private = keys
    csr = build_csr(
        kiosk=ticket.kiosk,
        kiosk_serial=kiosk_serial,
        tls_private=tls_private,
        signing_key=signing_key,
        ticket=ticket.text,
    )
    wire = Wire(context, time.monotonic)
    try:
        enrolled = _simple_enroll(wire, origin, ticket, csr, tls_private)
        if isinstance(enrolled, EnrolError):
            return enrolled
        certificate, generation = enrolled
        trust = _fetch_trust(wire, origin)
    finally:
        wire.close()
    if isinstance(trust, EnrolError):
        return trust
    try:
        write_private(state_dir / "ca.pem", ca_pem)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        write_private(tls_certificate_file(state_dir, slot), pem)
        if not (state_dir / TRUST).exists():
            (state_dir / LEDGER).unlink(missing_ok=True)  # of an identity taken away by hand: keys of another life
            sync_directory(state_dir)
        own = Entry(slot, f"{ticket.kiosk}/{generation}")
        write_record(state_dir, EnrolmentRecord(ticket_sha256(ticket.text), own.slot, own.keyid))
        write_private(state_dir / TRUST, encode({**trust, "keyid": own.keyid, "enrol_origin": origin}))
        if slot != FIRST_SLOT:
            write_ledger(state_dir, Ledger(own))
    except OSError as error:
        return EnrolError("state_dir", os.strerror(error.errno or 0))
    return _loaded(state_dir, key_store)


def _loaded(state_dir: Path, key_store: str) -> Identity | EnrolError:
    identity = load_identity(state_dir, key_store)
    return EnrolError(identity.field, identity.reason) if isinstance(identity, IdentityError) else identity


def _slot(state_dir: Path, kiosk: str, *, again: bool) -> int | EnrolError:
    """Where the new keys go. A renewal may have begun the slot after the one in force: not that one."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (state_dir / TRUST).exists():
        return FIRST_SLOT
    if not again:
        return EnrolError("state_dir", "this kiosk is enrolled already")
    held = in_force(state_dir)
    if isinstance(held, IdentityError):
        return EnrolError("state_dir", f"{held.field}: {held.reason}")
    if owner_of(held.keyid) != kiosk:
        return EnrolError("ticket", "is for another kiosk than the one enrolled here")
    if read_ledger(state_dir) is None:  # `trust.json` will name the new keys before they are in force
        write_ledger(state_dir, Ledger(held))
    return held.slot + 2


def _keys(state_dir: Path, key_store: str, slot: int) -> tuple[SigningKey, ec.EllipticCurvePrivateKey] | EnrolError:
    store = open_key_store(key_store, state_dir.resolve() / "keys")
    if isinstance(store, KeyStoreError):
        return EnrolError("state_dir" if store.field == "key_store" else store.field, store.reason)
    keys = durable_keys(state_dir, store, slot)
    store.close()
    return EnrolError("state_dir", f"{keys.field}: {keys.reason}") if isinstance(keys, KeyStoreError) else keys


def durable_keys(
    directory: Path, store: KeyStore, slot: int
) -> tuple[SigningKey, ec.EllipticCurvePrivateKey] | KeyStoreError:
    """Both keys of a slot, on disk when this returns; those that an interrupted request has left are used again."""
    signing_key = store.load(slot) if slot in store.list() else store.create(slot)
    if isinstance(signing_key, KeyStoreError):
        return KeyStoreError(f"signing key, {signing_key.field}", signing_key.reason)
    path = tls_key_file(directory, slot)
    if not path.exists():
        try:
            write_private(path, private_pem(ec.generate_private_key(ec.SECP256R1())))
        except OSError as error:
            return KeyStoreError(path.name, os.strerror(error.errno or 0))
    tls_private = load_private_pem(path, path.name)
    return tls_private if isinstance(tls_private, KeyStoreError) else (signing_key, tls_private)


def _simple_enroll(
    wire: Wire, origin: str, ticket: Ticket, csr: bytes, tls_private: ec.EllipticCurvePrivateKey
) -> tuple[x509.Certificate, int] | EnrolError:
    """The certificate for our TLS key, and the generation under which the backend registered our signing key."""
    answer = wire.exchange(
        "POST",
        f"{origin}/.well-known/est/simpleenroll",
        (
            ("authorization", f"Basic {b64encode(ticket.text.encode('ascii')).decode('ascii')}"),
            ("content-type", "application/pkcs10"),
            ("content-transfer-encoding", "base64"),
        ),
        b64encode(csr),
        deadline_s=_DEADLINE_S,
        max_body_bytes=MAX_ISSUED_BYTES,
    )
    if isinstance(answer, WireFailure):
        return EnrolError("network", answer.reason)
    return _refused(answer) or read_issued(answer, tls_private)


def read_issued(
    answer: RawAnswer, tls_private: ec.EllipticCurvePrivateKey
) -> tuple[x509.Certificate, int] | EnrolError:
    """A 200 of an EST route: the certificate for our TLS key, and the generation of our signing key."""
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(b64decode(b"".join(answer.body.split()), validate=True))
    except ValueError:
        return EnrolError("answer", "not a base64 certs-only PKCS#7")
    own = [each for each in certificates if each.public_key() == tls_private.public_key()]
    if len(own) != 1:
        return EnrolError("answer", "holds no certificate for this kiosk's TLS key")
    generations = [value for name, value in answer.headers if name.lower() == b"kiosk-generation"]
    if len(generations) != 1 or not re.fullmatch(rb"[1-9][0-9]{0,5}", generations[0]):
        return EnrolError("answer", "kiosk-generation is not one number from 1 to 999999")
    return own[0], int(generations[0])


def _refused(answer: RawAnswer) -> EnrolError | None:
    match answer.status:
        case 200:
            return None
        case 202:
            return EnrolError("ticket", "waits for approval: repeat later with the same ticket")
        case 401 | 403:
            return EnrolError("ticket", "refused: unknown, used, expired, or for another kiosk")
        case _:
            return EnrolError("answer", f"status {answer.status}")


def _fetch_trust(wire: Wire, origin: str) -> dict[str, object] | EnrolError:
    answer = wire.exchange(
        "GET",
        f"{origin}/.well-known/kiosk/trust",
        (),
        b"",
        deadline_s=_DEADLINE_S,
        max_body_bytes=MAX_TRUST_BYTES // 2,
    )
    if isinstance(answer, WireFailure):
        return EnrolError("network", answer.reason)
    if answer.status != 200:
        return EnrolError("answer", f"status {answer.status}")
    body = decode(answer.body, MAX_TRUST_BYTES // 2)
    if isinstance(body, JsonError):
        return EnrolError("answer", str(body))
    trust = parse_trust(body)
    if isinstance(trust, FieldError):
        return EnrolError(f"answer: {trust.field}", trust.reason)
    return {name: body[name] for name in ("origin", "server_keys", "policy_keys")}
