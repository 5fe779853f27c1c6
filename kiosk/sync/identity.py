"""Who this kiosk is, once enrolled: its keys, its certificate, and whom it trusts. Files of one private directory.

`keys/signing-<n>.pem`, `tls.key.pem`, `tls.cert.pem`, `ca.pem`, and `trust.json`, written last: a directory with a
`trust.json` is an enrolled kiosk.
"""

from __future__ import annotations

import binascii
import os
import re
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from kiosk.sync.fields import FieldError, Fields, read
from kiosk.sync.keys import KeyStoreError, load_private_pem, open_key_store
from kiosk.sync.profile import KIOSK_KEYID, SERVER_KEYID, KeyRecord, KeyRefusal, register_document_key, register_key
from kiosk.sync.strict_json import JsonError, decode
from kiosk.sync.wire import client_tls
from kiosk.visit.ports import SigningKey

ORIGIN: Final = re.compile(r"https://[a-z0-9.-]{1,253}(:[1-9][0-9]{0,4})?", re.ASCII)
KEY_SLOT: Final = 1
"""Generation, in the local key store, of the key made at enrolment."""
MAX_TRUST_BYTES: Final = 64 * 1024
MAX_CERTIFICATES_BYTES: Final = 64 * 1024
POLICY_ROLE: Final = "policy"
"""The one role that a kiosk cannot do without: whoever signs its orders."""
_KEY_NAME: Final = re.compile(r"[a-z0-9][a-z0-9/-]{0,63}", re.ASCII)


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

    def tls(self) -> ssl.SSLContext:
        """A fresh client context, one for each pool."""
        return client_tls(self.directory / "ca.pem", self.directory / "tls.cert.pem", self.directory / "tls.key.pem")


def parse_trust(body: Mapping[str, Any]) -> Trust | FieldError:
    """Check the trust bundle of the enrolment listener.

    `{"origin", "server_keys": [{"keyid", "alg", "spki"}], "policy_keys": {type: {"threshold", "keys": […]}}}`;
    spki is base64 of DER.
    """

    def build(fields: Fields) -> Trust:
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

    return read(body, build)


def _key(entry: Fields, *, server: bool) -> KeyRecord:
    keyid = entry.text("keyid", pattern=SERVER_KEYID if server else _KEY_NAME)
    alg = entry.text("alg", max_chars=40)
    try:
        spki = b64decode(entry.text("spki", max_chars=1000), validate=True)
    except (binascii.Error, ValueError):
        spki = b""
    record = (register_key if server else register_document_key)(keyid, alg, spki)
    if isinstance(record, KeyRefusal):
        entry.refuse("spki", record.value)
    return record


def load_identity(directory: Path) -> Identity | IdentityError:
    """Load what `enrol` wrote, and try it. The first file that is missing, too large or wrong is the error."""
    limits = {
        "trust.json": MAX_TRUST_BYTES,
        "tls.cert.pem": MAX_CERTIFICATES_BYTES,
        "ca.pem": MAX_CERTIFICATES_BYTES,
    }
    contents: dict[str, bytes] = {}
    for name, limit_bytes in limits.items():
        content = _content(directory / name, limit_bytes)
        if isinstance(content, IdentityError):
            return content
        contents[name] = content
    raw = contents["trust.json"]
    try:
        certificate = x509.load_pem_x509_certificate(contents["tls.cert.pem"])
        public_key = certificate.public_key()
        valid_s = (certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
    except (ValueError, UnsupportedAlgorithm):
        return IdentityError("tls.cert.pem", "not a PEM certificate")
    body = decode(raw, MAX_TRUST_BYTES)
    if isinstance(body, JsonError):
        return IdentityError("trust.json", str(body))
    trust = parse_trust(body)
    own = read(body, lambda fields: fields.text("keyid", pattern=KIOSK_KEYID))
    for part in (trust, own):
        if isinstance(part, FieldError):
            return IdentityError(f"trust.json: {part.field}", part.reason)
    assert isinstance(trust, Trust)  # noqa: S101  the loop above has left otherwise
    assert isinstance(own, str)  # noqa: S101
    kiosk = own.partition("/")[0]
    tls_private = load_private_pem(directory / "tls.key.pem", "tls.key.pem")
    if isinstance(tls_private, KeyStoreError):
        return IdentityError(tls_private.field, tls_private.reason)
    if public_key != tls_private.public_key():
        return IdentityError("tls.cert.pem", "not the certificate of tls.key.pem")
    if not (directory / "keys").is_dir():  # opening a key store would make one
        return IdentityError("keys", "missing")
    store = open_key_store(f"file:{directory.resolve() / 'keys'}", kiosk)
    signing_key = store if isinstance(store, KeyStoreError) else store.load(KEY_SLOT)
    if isinstance(signing_key, KeyStoreError):
        return IdentityError(f"signing key, {signing_key.field}", signing_key.reason)
    signing_key.keyid = own  # the backend counts generations over all enrolments, the key store over this one
    identity = Identity(
        kiosk=kiosk,
        trust=trust,
        signing_key=signing_key,
        certificate_from_s=int(valid_s[0]),
        certificate_until_s=int(valid_s[1]),
        directory=directory,
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
