"""Is this card a technician's badge? The card checks the PIN; certificate and signature prove that it is a real card.

Card commands: `kiosk.card.professional` (domain reference §3). Certificate: X.509, EC P-256, directly issued by the
staff authority of the settings, role in the subject's `title`. The PIN is handed through once and kept nowhere.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from kiosk.card.professional import (
    AID_TECHNICIAN,
    EF_CERTIFICATE,
    KEY_REFERENCE,
    PIN_REFERENCE,
    PIN_STATUS_VERIFY,
    StaffRole,
    parse_verify_status,
)
from kiosk.card.read_error import CardReadError
from kiosk.card.status_words import StatusWord, sw_text, tries_left
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardLink, CardSession, CardStep

CHALLENGE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MAX_CERTIFICATE_BYTES: Final = 4096
MAX_AUTHORITY_FILE_BYTES: Final = 16_384
_READ_BYTES: Final = 256
_OK: Final = frozenset({int(StatusWord.OK)})
_SELECT_BADGE: Final = CardStep(bytes((0x00, 0xA4, 0x04, 0x0C, len(AID_TECHNICIAN))) + AID_TECHNICIAN, _OK)
_ASK_TRIES: Final = CardStep(PIN_STATUS_VERIFY.to_bytes(), _OK)
_SELECT_CERTIFICATE: Final = CardStep(bytes((0x00, 0xA4, 0x02, 0x0C, 0x02)) + EF_CERTIFICATE.to_bytes(2, "big"), _OK)
_SET_KEY: Final = CardStep(bytes((0x00, 0x22, 0x41, 0xA4, 0x03, 0x84, 0x01, KEY_REFERENCE)), _OK)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a badge is not accepted. `tries_left`: as the card said, if the PIN was wrong and can be tried again."""

    fault: Fault
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class AuthorityError:
    """Why no badge can be checked here: a sentence for the technician."""

    reason: str


def load_authority(file: Path | None) -> x509.Certificate | AuthorityError:
    """The staff authority's certificate, PEM; `file` as in the settings."""
    if file is None:
        return AuthorityError("staff.authority_file is not set")
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_AUTHORITY_FILE_BYTES + 1)
        if len(content) > MAX_AUTHORITY_FILE_BYTES:
            return AuthorityError(f"staff.authority_file: larger than {MAX_AUTHORITY_FILE_BYTES} bytes")
        certificate = x509.load_pem_x509_certificate(content)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except OSError as error:
        return AuthorityError(f"staff.authority_file: cannot be read: {error.strerror}")
    except (ValueError, x509.ExtensionNotFound):
        return AuthorityError("staff.authority_file: not the PEM certificate of an authority")
    if not constraints.ca or not usage.key_cert_sign:
        return AuthorityError("staff.authority_file: the certificate is not an authority's")
    return certificate


def no_authority(error: AuthorityError) -> Fault:
    """The badge cannot be checked: its PIN is not asked for."""
    return Fault(Cause.BADGE_NO_AUTHORITY, error.reason, command_sent=False)


def check_badge(
    link: CardLink, session: CardSession, pin: str, authority: x509.Certificate, now_utc_s: float
) -> Refusal | None:
    """None: the card took the PIN and has proved to be a technician's, now. Blocks as long as the card takes."""
    refused = _verify_pin(link, session, pin)
    if refused is not None:
        return refused
    read = _read_certificate(link, session)
    if isinstance(read, Refusal):
        return read
    proven = _technicians_key(read, authority, datetime.fromtimestamp(now_utc_s, UTC))
    return _prove_key(link, session, proven) if isinstance(proven, ec.EllipticCurvePublicKey) else _unproven(proven)


def _ask(link: CardLink, session: CardSession, *steps: CardStep) -> list[tuple[bytes, int]] | Refusal:
    """Data and status word of each answer. A card that left, or fell silent, has refused nothing."""
    answers = link.execute(session, steps)
    if answers.fault is not None:
        return Refusal(answers.fault)
    return [(answer[:-2], int.from_bytes(answer[-2:], "big")) for answer in answers.responses]


def _verify_pin(link: CardLink, session: CardSession, pin: str) -> Refusal | None:
    """First the question that costs no try: a PIN is not sent to a card that would not compare it."""
    asked = _ask(link, session, _SELECT_BADGE, _ASK_TRIES)
    if isinstance(asked, Refusal):
        return asked
    status = parse_verify_status(asked[-1][1])
    if len(asked) < 2 or isinstance(status, CardReadError):
        return _unproven(f"question for the tries left: {sw_text(asked[-1][1])}")
    if status.tries_left == 0:
        return _wrong_pin(0)
    value = pin.encode("ascii")
    tried = _ask(link, session, CardStep(bytes((0x00, 0x20, 0x00, PIN_REFERENCE, len(value))) + value, _OK))
    if isinstance(tried, Refusal):
        return tried
    sw = tried[-1][1]
    if sw == StatusWord.OK:
        return None
    left = 0 if sw == StatusWord.METHOD_BLOCKED else tries_left(sw)
    return _unproven(f"VERIFY: {sw_text(sw)}") if left is None else _wrong_pin(left)


def _wrong_pin(left: int) -> Refusal:
    if left:
        return Refusal(Fault(Cause.PIN_WRONG), left)
    return Refusal(Fault(Cause.PIN_BLOCKED))


def _read_certificate(link: CardLink, session: CardSession) -> bytes | Refusal:
    content = b""
    step = _SELECT_CERTIFICATE
    while len(content) <= MAX_CERTIFICATE_BYTES:
        answers = _ask(link, session, step)
        if isinstance(answers, Refusal):
            return answers
        data, sw = answers[-1]
        if step is not _SELECT_CERTIFICATE:
            content += data
            if sw in (StatusWord.END_OF_FILE, StatusWord.WRONG_OFFSET) or (sw in _OK and len(data) < _READ_BYTES):
                return content
        if sw not in _OK:
            return _unproven(f"certificate file: {sw_text(sw)}")
        step = CardStep(b"\x00\xb0" + len(content).to_bytes(2, "big") + b"\x00", _OK)
    return _unproven("certificate file: too long")


def _technicians_key(der: bytes, authority: x509.Certificate, now: datetime) -> ec.EllipticCurvePublicKey | str:
    """The key that a valid certificate gives to a technician, or what is wrong with the certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(authority)
        key = certificate.public_key()
        extensions = certificate.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        titles = certificate.subject.get_attributes_for_oid(NameOID.TITLE)
    except InvalidSignature:
        return "certificate: not signed by the staff authority"
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return "certificate: not one of the staff authority's"
    for name, checked in (("certificate", certificate), ("authority", authority)):
        if not checked.not_valid_before_utc <= now <= checked.not_valid_after_utc:
            return f"{name}: not valid at this time"
    if [title.value for title in titles] != [StaffRole.TECHNICIEN.value]:
        return "certificate: not a technician's"
    if constraints.ca or not usage.digital_signature:
        return "certificate: not for signatures of a card"
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return "certificate: not a key on P-256"
    return key


def _prove_key(link: CardLink, session: CardSession, key: ec.EllipticCurvePublicKey) -> Refusal | None:
    """A copy of a certificate signs nothing: the card signs a challenge that nobody has seen before."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    sign = CardStep(bytes((0x00, 0x88, 0x00, 0x00, CHALLENGE_BYTES)) + challenge + b"\x00", _OK)
    answers = _ask(link, session, _SET_KEY, sign)
    if isinstance(answers, Refusal):
        return answers
    signature, sw = answers[-1]
    if len(answers) < 2 or sw not in _OK:
        return _unproven(f"signature: {sw_text(sw)}")
    half = SIGNATURE_BYTES // 2
    if len(signature) != SIGNATURE_BYTES:
        return _unproven(f"signature: {len(signature)} bytes instead of {SIGNATURE_BYTES}")
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    try:
        key.verify(encode_dss_signature(r, s), challenge, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return _unproven("signature: not by the certificate's key")
    return None


def _unproven(detail: str) -> Refusal:
    return Refusal(Fault(Cause.BADGE_UNPROVEN, detail))
