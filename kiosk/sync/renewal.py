"""New keys in two phases: the old ones stay in force until the backend has signed an answer to the new ones.

    make     both keys of the next slot on disk
    request  their certificate: `simplereenroll` over mutual TLS or, once the certificate has expired, the recovery
             route of the enrolment listener; authorised by a signing key that the backend knows
    keep     certificate, then ledger: `next`
    (prove   a signed answer to a call under the new keys: the chore's part)
    adopt    ledger: `current`; then the old keys are destroyed

At every point in between the directory holds keys that the backend accepts, and doing the same again goes on there.
"""

from __future__ import annotations

import os
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.store.files import write_private
from kiosk.sync.csr import build_renewal_csr
from kiosk.sync.enrol import MAX_ISSUED_BYTES, EnrolError, durable_keys, read_issued
from kiosk.sync.identity import Identities, Identity, IdentityError, load_identities
from kiosk.sync.identity_files import (
    Entry,
    Ledger,
    remove_tls_files,
    tls_certificate_file,
    tls_slots,
    write_ledger,
)
from kiosk.sync.keys import KeyStoreError, KeyUnusableError
from kiosk.sync.strict_json import encode
from kiosk.sync.wire import Exchange, Wire, WireFailure, client_tls
from kiosk.visit.ports import SigningKey

REENROLL_ROUTE: Final = "/.well-known/est/simplereenroll"
RECOVER_ROUTE: Final = "/.well-known/kiosk/recover"
RECOVERY_S: Final = 30 * 86_400
"""For so long after its end a certificate, with its signing key, still gets another; then a new ticket is needed."""
_DEADLINE_S: Final = 20.0
_REFUSED: Final = (401, 403)


def due_s(identity: Identity) -> int:
    """When to renew: two thirds of the certificate's life, and up to a twelfth later, the same at every start."""
    life_s = identity.certificate_until_s - identity.certificate_from_s
    spread = int.from_bytes(sha256(identity.certificate_pem).digest()[:4], "big") / 2**32
    return identity.certificate_from_s + int(life_s * (2 / 3 + spread / 12))


def overdue_s(identity: Identity) -> int:
    """When somebody should ask why it has not been renewed: five sixths of its life."""
    return identity.certificate_from_s + (identity.certificate_until_s - identity.certificate_from_s) * 5 // 6


@dataclass(frozen=True, slots=True)
class RenewalError:
    """Why there are no new keys yet. `field`: `keys`, `disk`, `network`, `answer…`, `refused`, or `expired`."""

    field: str
    reason: str


class Renewal:
    """The steps, on one directory. Used by one thread."""

    def __init__(
        self,
        identities: Identities,
        kiosk_serial: str,
        *,
        open_wire: Callable[[ssl.SSLContext], Exchange] = lambda context: Wire(context, time.monotonic),
    ) -> None:
        """`kiosk_serial`: as at enrolment. `open_wire`: a connection pool for one exchange."""
        self._held = identities
        self._serial = kiosk_serial
        self._open_wire = open_wire

    @property
    def held(self) -> Identities:
        """Both, and their key store."""
        return self._held

    @property
    def current(self) -> Identity:
        """The keys in force."""
        return self._held.current

    @property
    def following(self) -> Identity | None:
        """Certified, and not yet proven."""
        return self._held.following

    def request(self, now_s: int) -> RenewalError | None:
        """Make, request and keep the next keys; asks again for a certificate that has expired unproven."""
        slot = self._next_slot()
        keys = durable_keys(self._directory, self._held.key_store, slot)
        if isinstance(keys, KeyStoreError):
            self._drop_begun()
            return RenewalError("keys", f"{keys.field}: {keys.reason}")
        issued = self._ask(*keys, now_s)
        if isinstance(issued, RenewalError):
            if issued.field == "refused":
                self._drop_begun()
            return issued
        certificate, generation = issued
        entry = Entry(slot, f"{self.current.kiosk}/{generation}")
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return self._written(Ledger(_entry(self.current), entry), pem)

    def adopt(self) -> RenewalError | None:
        """The backend has signed an answer to the next keys: they are in force, and the old ones are destroyed."""
        if self.following is None:
            return None
        entry = _entry(self.following)
        return self._written(Ledger(entry)) or self.tidy()

    def abandon(self) -> RenewalError | None:
        """The backend refuses the next keys and accepts those in force: begin anew."""
        return self._written(Ledger(_entry(self.current))) or self.tidy(keep_begun=False)

    def tidy(self, *, keep_begun: bool = True) -> RenewalError | None:
        """Destroy what a ledger no longer names: older slots and, unless `keep_begun`, the one that was begun."""
        named = {self.current.slot} | (set() if self.following is None else {self.following.slot})

        def stale(slot: int) -> bool:
            begun = slot == self.current.slot + 1  # those above are an enrolment's that has not ended
            return slot not in named and (slot < self.current.slot or (begun and not keep_begun))

        for slot in filter(stale, self._held.key_store.list()):
            if (left := self._held.key_store.destroy(slot)) is not None:
                return RenewalError("disk", f"{left.field}: {left.reason}")
        try:
            for slot in filter(stale, tls_slots(self._directory)):
                remove_tls_files(self._directory, slot)
        except OSError as error:
            return RenewalError("disk", os.strerror(error.errno or 0))
        return None

    def _drop_begun(self) -> None:
        """Keys of which the backend has certified nothing, and which cannot be read or are refused: make others."""
        if self.following is None:
            self.tidy(keep_begun=False)

    @property
    def _directory(self) -> Path:
        return self.current.directory

    def _next_slot(self) -> int:
        return self.current.slot + 1 if self.following is None else self.following.slot

    def _ask(
        self, signing_key: SigningKey, tls_private: ec.EllipticCurvePrivateKey, now_s: int
    ) -> tuple[x509.Certificate, int] | RenewalError:
        """Authorised by the newest key that the backend may know: the older one is not accepted after its grace."""
        result: tuple[x509.Certificate, int] | RenewalError = RenewalError("refused", "")
        for identity in (self.following, self.current):
            if identity is not None:
                result = self._ask_as(identity, signing_key, tls_private, now_s)
                if not (isinstance(result, RenewalError) and result.field == "refused"):
                    break
        return result

    def _ask_as(
        self, identity: Identity, signing_key: SigningKey, tls_private: ec.EllipticCurvePrivateKey, now_s: int
    ) -> tuple[x509.Certificate, int] | RenewalError:
        try:
            csr = build_renewal_csr(
                kiosk=identity.kiosk,
                kiosk_serial=self._serial,
                tls_private=tls_private,
                signing_key=signing_key,
                authorised_by=identity.signing_key,
            )
        except KeyUnusableError as error:
            return RenewalError("keys", str(error))
        if now_s <= identity.certificate_until_s:
            context = identity.tls()
            url, kind = identity.trust.origin + REENROLL_ROUTE, "application/pkcs10"
            fields: tuple[tuple[str, str], ...] = (("content-transfer-encoding", "base64"),)
            body = b64encode(csr)
        elif identity.enrol_origin is None:
            return RenewalError("expired", "enrolled by a version that did not note where: a new ticket is needed")
        elif now_s > identity.certificate_until_s + RECOVERY_S:
            return RenewalError("expired", "for too long: a new ticket is needed")
        else:
            context = client_tls(identity.directory / "ca.pem")
            url, kind, fields = identity.enrol_origin + RECOVER_ROUTE, "application/json", ()
            old = x509.load_pem_x509_certificate(identity.certificate_pem).public_bytes(serialization.Encoding.DER)
            body = encode({"certificate": b64encode(old).decode("ascii"), "csr": b64encode(csr).decode("ascii")})
        wire = self._open_wire(context)
        try:
            answer = wire.exchange(
                "POST",
                url,
                (("content-type", kind), *fields),
                body,
                deadline_s=_DEADLINE_S,
                max_body_bytes=MAX_ISSUED_BYTES,
            )
        finally:
            wire.close()
        if isinstance(answer, WireFailure):
            return RenewalError("network", answer.reason)
        if answer.status in _REFUSED:
            return RenewalError("refused", f"status {answer.status}")
        if answer.status != 200:
            return RenewalError("answer", f"status {answer.status}")
        issued = read_issued(answer, tls_private)
        return RenewalError(issued.field, issued.reason) if isinstance(issued, EnrolError) else issued

    def _written(self, ledger: Ledger, certificate_pem: bytes | None = None) -> RenewalError | None:
        """Write, the ledger last, then hold what the directory says."""
        try:
            if certificate_pem is not None and ledger.next is not None:
                write_private(tls_certificate_file(self._directory, ledger.next.slot), certificate_pem)
            write_ledger(self._directory, ledger)
        except OSError as error:
            return RenewalError("disk", os.strerror(error.errno or 0))
        loaded = load_identities(self._directory, held_in=self._held.key_store)
        if isinstance(loaded, IdentityError):
            return RenewalError("disk", f"{loaded.field}: {loaded.reason}")
        self._held = loaded
        return None


def _entry(identity: Identity) -> Entry:
    return Entry(identity.slot, identity.signing_key.keyid)
