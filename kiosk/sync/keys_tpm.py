"""Signing keys in a TPM 2.0: generated inside, bound to this TPM and this parent; the files hold what it wrapped.

The parent is derived anew at each opening from the owner hierarchy's seed and a fixed template (restricted decryption
key, P-256, AES-128-CFB), so nothing of it is stored. Between operations the TPM's own saved context stands for it: a
TPM has room for three objects only, and a kiosk that is killed must leave none of them there. Auth values are empty:
what protects is that the private half never leaves the chip, not a password beside it on the same disk.
TPM 2.0 Library Part 1 §23, Part 2 §8.3.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from kiosk.store.files import sync_directory, write_private
from kiosk.sync.keys import UNNAMED, KeyStoreError, KeyUnusableError, check_new, read_private
from kiosk.sync.keys_seal import KEY_BYTES, MAX_SEALED_BYTES, seal_with, unseal_with
from kiosk.sync.profile import ALG_P256
from kiosk.visit.ports import SigningKey

os.environ.setdefault("TSS2_LOG", "all+none")  # read by the library when it is loaded: it would write to stderr
from tpm2_pytss import ESAPI, ESYS_TR, TSS2_Exception
from tpm2_pytss.constants import TPM2_ALG, TPM2_RH, TPM2_ST, TPMA_OBJECT
from tpm2_pytss.types import (
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMS_CONTEXT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_SENSITIVE_CREATE,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_TK_HASHCHECK,
    TPMU_PUBLIC_PARMS,
)

T = TypeVar("T")
_NAME: Final = re.compile(r"signing-([1-9][0-9]{0,5})\.tpm2", re.ASCII)
_MAX_BLOB_BYTES: Final = 4096
_HEADER: Final = b"kiosk-tpm2/1\n"
_BOUND: Final = TPMA_OBJECT.FIXEDTPM | TPMA_OBJECT.FIXEDPARENT | TPMA_OBJECT.USERWITHAUTH | TPMA_OBJECT.NODA
_PARENT_USE: Final = _BOUND | TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT | TPMA_OBJECT.SENSITIVEDATAORIGIN
_SIGNING_USE: Final = _BOUND | TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.SENSITIVEDATAORIGIN


class TpmKeyStore:
    """See `KeyStore`. Thread-safe. Holds nothing of the TPM between operations, and two of its objects during one."""

    kind: Final = "tpm2"
    sealed_by: Final = "tpm2"

    def __init__(self, directory: Path, tcti: str) -> None:
        self._directory, self._tcti = directory, tcti
        self._lock = threading.Lock()
        self._esys: ESAPI | None = None
        self._parent: TPMS_CONTEXT | None = None

    def create(self, slot: int) -> SigningKey | KeyStoreError:
        """See `KeyStore.create`."""
        field = f"slot {slot}"
        if (refused := check_new(slot, self.list())) is not None:
            return refused
        try:
            blob = self._with_parent(_new_signing_key)
            write_private(self._path(slot), blob)
        except OSError as error:
            return KeyStoreError(field, os.strerror(error.errno or 0))
        except TSS2_Exception as error:
            return _told(field, error)
        return self.load(slot)

    def load(self, slot: int, keyid: str = UNNAMED) -> SigningKey | KeyStoreError:
        """See `KeyStore.load`. The TPM is asked whether it still accepts the key."""
        field = f"slot {slot}"
        blob = read_private(self._path(slot), field, _MAX_BLOB_BYTES)
        if isinstance(blob, KeyStoreError):
            return blob
        parts = _taken_apart(blob)
        if parts is None:
            return KeyStoreError(field, "not a key wrapped by a TPM")
        private, public = parts
        try:
            self._with_parent(lambda esys, parent: esys.flush_context(esys.load(parent, private, public)))
        except TSS2_Exception as error:
            return _told(field, error)
        return _TpmKey(self, keyid, private, public)

    def list(self) -> list[int]:
        """See `KeyStore.list`."""
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def destroy(self, slot: int) -> KeyStoreError | None:
        """See `KeyStore.destroy`: what the TPM wrapped is its only copy."""
        try:
            self._path(slot).unlink()
            sync_directory(self._directory)
        except OSError as error:
            return KeyStoreError(f"slot {slot}", os.strerror(error.errno or 0))
        return None

    def seal(self, secret: bytes) -> bytes | KeyStoreError:
        """See `KeyStore.seal`. The TPM keeps a key of 32 bytes, which encrypts the rest (AES-256-GCM)."""
        key = secrets.token_bytes(KEY_BYTES)
        try:
            wrapped = self._with_parent(lambda esys, parent: _new_sealed(esys, parent, key))
        except TSS2_Exception as error:
            return _told("seal", error)
        return len(wrapped).to_bytes(2, "big") + wrapped + seal_with(key, secret)

    def unseal(self, sealed: bytes) -> bytes | KeyStoreError:
        """See `KeyStore.unseal`."""
        size = int.from_bytes(sealed[:2], "big")
        parts = _taken_apart(sealed[2 : 2 + size]) if len(sealed) <= MAX_SEALED_BYTES else None
        if parts is None:
            return KeyStoreError("seal", "not sealed by a TPM")
        private, public = parts

        def unsealed(esys: ESAPI, parent: ESYS_TR) -> bytes:
            handle = esys.load(parent, private, public)
            try:
                return bytes(esys.unseal(handle))
            finally:
                esys.flush_context(handle)

        try:
            key = self._with_parent(unsealed)
        except TSS2_Exception as error:
            return _told("seal", error)
        if len(key) != KEY_BYTES:
            return KeyStoreError("seal", "not sealed by this kiosk")
        return unseal_with(key, sealed[2 + size :])

    def close(self) -> None:
        """See `KeyStore.close`."""
        with self._lock:
            self._disconnect()

    def signed(self, private: TPM2B_PRIVATE, public: TPM2B_PUBLIC, digest: bytes) -> bytes:
        """64 bytes r‖s over a SHA-256 digest; raises KeyUnusableError."""

        def sign(esys: ESAPI, parent: ESYS_TR) -> bytes:
            handle = esys.load(parent, private, public)
            try:
                signed = esys.sign(handle, digest, _KEYS_OWN_SCHEME, _NO_TICKET)
            finally:
                esys.flush_context(handle)
            r_s = bytes(signed.signature.ecdsa.signatureR), bytes(signed.signature.ecdsa.signatureS)
            del signed  # not before: its parts are views, and its memory goes with it
            return b"".join(number.rjust(32, b"\0") for number in r_s)

        try:
            return self._with_parent(sign)
        except TSS2_Exception as error:
            raise KeyUnusableError(f"the TPM does not sign: {error}") from None

    def _with_parent(self, work: Callable[[ESAPI, ESYS_TR], T]) -> T:
        """Do `work`; once more from the beginning if it fails: a TPM that was reset knows no saved parent any more."""
        with self._lock:
            if self._esys is not None and self._parent is not None:
                try:
                    return _under(self._esys, self._esys.context_load(self._parent), work)
                except TSS2_Exception:
                    self._disconnect()
            self._esys = ESAPI(self._tcti)
            template = TPM2B_PUBLIC.parse("ecc256:aes128cfb", objectAttributes=_PARENT_USE)
            try:
                parent = self._esys.create_primary(None, template, ESYS_TR.OWNER)[0]
                self._parent = self._esys.context_save(parent)
                return _under(self._esys, parent, work)
            except TSS2_Exception:
                self._disconnect()
                raise

    def _disconnect(self) -> None:
        esys, self._esys, self._parent = self._esys, None, None
        if esys is not None:
            esys.close()

    def _path(self, slot: int) -> Path:
        return self._directory / f"signing-{slot}.tpm2"


class _TpmKey:
    """A key of a `TpmKeyStore`, which connects for it if need be."""

    def __init__(self, store: TpmKeyStore, keyid: str, private: TPM2B_PRIVATE, public: TPM2B_PUBLIC) -> None:
        self.keyid = keyid
        self.alg = ALG_P256
        self._store, self._private, self._public = store, private, public

    def public_spki(self) -> bytes:
        """DER SubjectPublicKeyInfo, 91 bytes."""
        return bytes(self._public.to_der())

    def sign(self, message: bytes) -> bytes:
        """64 bytes r‖s over SHA-256 of the message; raises KeyUnusableError."""
        return self._store.signed(self._private, self._public, sha256(message).digest())


def _under(esys: ESAPI, parent: ESYS_TR, work: Callable[[ESAPI, ESYS_TR], T]) -> T:
    try:
        return work(esys, parent)
    finally:
        esys.flush_context(parent)


def _new_signing_key(esys: ESAPI, parent: ESYS_TR) -> bytes:
    template = TPM2B_PUBLIC.parse("ecc256:ecdsa-sha256", objectAttributes=_SIGNING_USE)
    private, public, *_ = esys.create(parent, None, template)
    return _put_together(private, public)


def _new_sealed(esys: ESAPI, parent: ESYS_TR, secret: bytes) -> bytes:
    parameters = TPMS_KEYEDHASH_PARMS(scheme=TPMT_KEYEDHASH_SCHEME(scheme=TPM2_ALG.NULL))
    template = TPMT_PUBLIC(
        type=TPM2_ALG.KEYEDHASH,
        nameAlg=TPM2_ALG.SHA256,
        objectAttributes=_BOUND,
        parameters=TPMU_PUBLIC_PARMS(keyedHashDetail=parameters),
    )
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=secret))
    private, public, *_ = esys.create(parent, sensitive, TPM2B_PUBLIC(template))
    return _put_together(private, public)


def _put_together(private: TPM2B_PRIVATE, public: TPM2B_PUBLIC) -> bytes:
    return _HEADER + bytes(private.marshal()) + bytes(public.marshal())


def _taken_apart(blob: bytes) -> tuple[TPM2B_PRIVATE, TPM2B_PUBLIC] | None:
    body = blob.removeprefix(_HEADER)
    if len(body) == len(blob):
        return None
    try:
        private, used = TPM2B_PRIVATE.unmarshal(body)
        public, used_too = TPM2B_PUBLIC.unmarshal(body[used:])
    except TSS2_Exception:
        return None
    return (private, public) if used + used_too == len(body) else None


def _told(field: str, error: TSS2_Exception) -> KeyStoreError:
    return KeyStoreError(field, f"TPM: {error}")


_KEYS_OWN_SCHEME: Final = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)
_NO_TICKET: Final = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
