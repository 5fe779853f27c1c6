"""Who this kiosk is, once enrolled: its keys, its certificate, and whom it trusts. Files of one private directory.

Signing keys in `keys/` (or wherever the key store has them), `tls….pem` and `ledger.json` (see `identity_files`),
`ca.pem`, and `trust.json`, written last: a directory with a `trust.json` is an enrolled kiosk.
"""

from __future__ import annotations

import os
import re
import ssl
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from kiosk.sync.fields import FieldError, Fields, read
from kiosk.sync.identity_files import (
    FIRST_SLOT,
    LEDGER,
    TRUST,
    Entry,
    FileError,
    Ledger,
    read_ledger,
    tls_certificate_file,
    tls_key_file,
)
from kiosk.sync.keys import KeyStore, KeyStoreError, load_private_pem, private_pem
from kiosk.sync.keys_open import FILE, open_key_store
from kiosk.sync.profile import (
    DOCUMENT_KEYID,
    KIOSK_KEYID,
    SERVER_KEYID,
    KeyRecord,
    KeyRefusal,
    owner_of,
    register_document_key,
    register_key,
)
from kiosk.sync.strict_json import JsonError, decode
from kiosk.sync.wire import client_tls
from kiosk.visit.ports import SigningKey

T = TypeVar("T")
ORIGIN: Final = re.compile(r"https://[a-z0-9.-]{1,253}(:[1-9][0-9]{0,4})?", re.ASCII)
MAX_TRUST_BYTES: Final = 64 * 1024
MAX_CERTIFICATES_BYTES: Final = 64 * 1024
POLICY_ROLE: Final = "policy"
"""The one role that a kiosk cannot do without: whoever signs its orders."""


@dataclass(frozen=True, slots=True)
class IdentityError:
    """Why there is no usable identity; `field` names the file or the field in it."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Role:
    """Who may sign documents of one type, and how many distinct keys must."""

    threshold: int
    keys: Mapping[str, KeyRecord] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the backend said of itself at enrolment, under the pinned CA."""

    origin: str
    server_keys: Mapping[str, KeyRecord] = field(repr=False)
    roles: Mapping[str, Role] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled kiosk."""

    kiosk: str
    trust: Trust
    signing_key: SigningKey = field(repr=False)
    certificate_from_s: int
    certificate_until_s: int
    directory: Path = field(repr=False)
    slot: int = FIRST_SLOT
    enrol_origin: str | None = None
    certificate_pem: bytes = field(default=b"", repr=False)
    tls_key_pem: bytes = field(default=b"", repr=False)

    def tls(self) -> ssl.SSLContext:
        """A fresh client context, one for each pool; of what was checked, whatever has become of the files."""
        handle = os.memfd_create("tls", os.MFD_CLOEXEC)  # the library takes files only, and this one is on no disk
        try:
            os.write(handle, self.certificate_pem + self.tls_key_pem)
            return client_tls(self.directory / "ca.pem", Path(f"/proc/self/fd/{handle}"))
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class Identities:
    """What an enrolled kiosk holds: the keys in force, those that shall follow them, and where signing keys live."""

    current: Identity
    following: Identity | None
    key_store: KeyStore


def parse_trust(body: Mapping[str, Any]) -> Trust | FieldError:
    """Check the trust bundle of the enrolment listener.

    `{"origin", "server_keys": [{"keyid", "alg", "spki"}], "policy_keys": {type: {"threshold", "keys": […]}}}`;
    spki is base64 of DER.
    """
    return read(body, _trust)


def _trust(fields: Fields) -> Trust:
    server = {}
    for entry in fields.objects("server_keys", low=1, high=8):
        record = _key(entry, server=True)
        server[record.keyid] = record
    roles = {}
    listed = fields.object("policy_keys")
    for name in listed.raw():
        role = listed.object(name)
        keys = [_key(entry, server=False) for entry in role.objects("keys", low=1, high=16)]
        by_name = {key.keyid: key for key in keys}
        threshold = role.whole("threshold", 1, 16)
        if threshold > len(by_name):
            role.refuse("threshold", "more than there are keys")
        roles[name] = Role(threshold, by_name)
    if POLICY_ROLE not in roles:
        listed.refuse(POLICY_ROLE, "missing")
    return Trust(fields.text("origin", pattern=ORIGIN, max_chars=300), server, roles)


def _key(entry: Fields, *, server: bool) -> KeyRecord:
    keyid = entry.text("keyid", pattern=SERVER_KEYID if server else DOCUMENT_KEYID)
    alg = entry.text("alg", max_chars=40)
    try:
        spki = b64decode(entry.text("spki", max_chars=1000), validate=True)
    except ValueError:
        spki = b""
    record = (register_key if server else register_document_key)(keyid, alg, spki)
    if isinstance(record, KeyRefusal):
        entry.refuse("spki", record.value)
    return record


def load_identity(directory: Path, key_store: str = FILE) -> Identity | IdentityError:
    """The keys in force, see `load_identities`."""
    loaded = load_identities(directory, key_store)
    return loaded if isinstance(loaded, IdentityError) else loaded.current


def load_identities(
    directory: Path, key_store: str = FILE, *, held_in: KeyStore | None = None
) -> Identities | IdentityError:
    """Load what enrolment and renewal wrote, and try it; the first file missing, too large or wrong is the error.

    key_store: see `open_key_store`; held_in: one that is open already. Keys to come that are unusable are left out:
    those in force are what counts.
    """
    told = _read_trust(directory, lambda fields: (_trust(fields), _own(fields)))
    if isinstance(told, IdentityError):
        return told
    trust, (keyid, enrol_origin) = told
    ledger = _ledger(directory, keyid)
    if isinstance(ledger, IdentityError):
        return ledger
    if key_store == FILE and not (directory / "keys").is_dir():  # opening a key store would make one
        return IdentityError("keys", "missing")
    store = held_in or open_key_store(key_store, directory.resolve() / "keys")
    if isinstance(store, KeyStoreError):
        return IdentityError(store.field, store.reason)
    current = _slot(directory, trust, enrol_origin, store, ledger.current)
    if isinstance(current, IdentityError):
        return current
    following = None if ledger.next is None else _slot(directory, trust, enrol_origin, store, ledger.next)
    return Identities(current, None if isinstance(following, IdentityError) else following, store)


def in_force(directory: Path) -> Entry | IdentityError:
    """Which slot of an enrolled directory is in force, and under which name; without looking at its keys."""
    own = _read_trust(directory, _own)
    if isinstance(own, IdentityError):
        return own
    ledger = _ledger(directory, own[0])
    return ledger if isinstance(ledger, IdentityError) else ledger.current


def _read_trust(directory: Path, build: Callable[[Fields], T]) -> T | IdentityError:
    raw = _content(directory / TRUST, MAX_TRUST_BYTES)
    if isinstance(raw, IdentityError):
        return raw
    body = decode(raw, MAX_TRUST_BYTES)
    if isinstance(body, JsonError):
        return IdentityError(TRUST, str(body))
    value = read(body, build)
    return IdentityError(f"{TRUST}: {value.field}", value.reason) if isinstance(value, FieldError) else value


def _ledger(directory: Path, keyid: str) -> Ledger | IdentityError:
    """keyid: of the first slot, which is in force where there is no ledger."""
    ledger = read_ledger(directory) or Ledger(Entry(FIRST_SLOT, keyid))
    return IdentityError(LEDGER, ledger.reason) if isinstance(ledger, FileError) else ledger


def _own(fields: Fields) -> tuple[str, str | None]:
    has_origin = fields.has("enrol_origin")  # not before renewal was thought of
    origin = fields.text("enrol_origin", pattern=ORIGIN, max_chars=300) if has_origin else None
    return fields.text("keyid", pattern=KIOSK_KEYID), origin


def _slot(
    directory: Path, trust: Trust, enrol_origin: str | None, store: KeyStore, entry: Entry
) -> Identity | IdentityError:
    certificate_file, key_file = tls_certificate_file(directory, entry.slot), tls_key_file(directory, entry.slot)
    pem = _content(certificate_file, MAX_CERTIFICATES_BYTES)
    ca = _content(directory / "ca.pem", MAX_CERTIFICATES_BYTES)
    if isinstance(pem, IdentityError):
        return pem
    if isinstance(ca, IdentityError):
        return ca
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        public_key = certificate.public_key()
        valid_s = (certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
    except (ValueError, UnsupportedAlgorithm):
        return IdentityError(certificate_file.name, "not a PEM certificate")
    tls_private = load_private_pem(key_file, key_file.name)
    if isinstance(tls_private, KeyStoreError):
        return IdentityError(tls_private.field, tls_private.reason)
    if public_key != tls_private.public_key():
        return IdentityError(certificate_file.name, f"not the certificate of {key_file.name}")
    signing_key = store.load(entry.slot, entry.keyid)
    if isinstance(signing_key, KeyStoreError):
        return IdentityError(f"signing key, {signing_key.field}", signing_key.reason)
    identity = Identity(
        kiosk=owner_of(entry.keyid),
        trust=trust,
        signing_key=signing_key,
        certificate_from_s=int(valid_s[0]),
        certificate_until_s=int(valid_s[1]),
        directory=directory,
        slot=entry.slot,
        enrol_origin=enrol_origin,
        certificate_pem=pem,
        tls_key_pem=private_pem(tls_private),
    )
    try:
        identity.tls()
    except OSError:  # `ssl.SSLError` is one; certificate and key have been looked at above
        return IdentityError("ca.pem", "not PEM certificates")
    return identity


def _content(path: Path, limit_bytes: int) -> bytes | IdentityError:
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except FileNotFoundError:
        return IdentityError(path.name, "missing: the kiosk is not enrolled")
    except OSError as error:
        return IdentityError(path.name, os.strerror(error.errno or 0))
    return content if len(content) <= limit_bytes else IdentityError(path.name, f"larger than {limit_bytes} bytes")
