"""Signed documents on disk: each with its floor in one transaction; floors only rise, re-enrolment included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta, write_meta
from kiosk.sync.documents import FLEET, Document, DocumentError, Floor, claimed, read_kept, verify_document
from kiosk.sync.documents_bodies import TYPES, DocumentType
from kiosk.sync.identity import Role
from kiosk.sync.strict_json import encode


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that was accepted once and cannot be read now, by another version of this program perhaps."""

    type: str
    scope: str
    error: DocumentError


class DocumentKeeper:
    """What is in force for one kiosk, by type and scope: proven, stored with its floor, then applied."""

    def __init__(self, store: Store, *, roles: Mapping[str, Role], kiosk: str, app_version: str) -> None:
        self._store, self._roles, self._kiosk, self._app_version = store, roles, kiosk, app_version

    def adopt(self, envelope: Mapping[str, Any], now_s: int) -> Future[Document | DocumentError]:
        """Prove a newer envelope and keep it; once the future has resolved it survives a power cut."""
        kind, _ = claimed(envelope)
        if kind is None:
            refused: Future[Document | DocumentError] = Future()
            refused.set_result(DocumentError("payload.type", "unknown to this application: ignored"))
            return refused
        raw = encode(envelope)
        return self._store.submit(lambda tx: self._adopt(tx, raw, kind, now_s))

    def kept(self) -> Future[list[Document | Unreadable]]:
        """Everything that was accepted, as it was. Dates are not asked: expiry is for whoever applies it."""
        return self._store.submit(lambda tx: list(self._kept(tx)))

    def _adopt(self, tx: Transaction, raw: bytes, kind: DocumentType, now_s: int) -> Document | DocumentError:
        document = verify_document(
            raw,
            kind,
            role=self._roles.get(kind.name),
            kiosk=self._kiosk,
            floor=lambda scope: _read_floor(tx, kind.name, scope),
            now_s=now_s,
            app_version=self._app_version,
        )
        if isinstance(document, Document):
            write_meta(tx, _document_key(document.type, document.scope), document.envelope)
            floor = b"%d %s" % (document.version, document.payload_sha256.hex().encode())
            write_meta(tx, _floor_key(document.type, document.scope), floor)
        return document

    def _kept(self, tx: Transaction) -> Iterator[Document | Unreadable]:
        for kind in TYPES.values():
            for scope in (FLEET, self._kiosk):
                raw = read_meta(tx, _document_key(kind.name, scope))
                if raw is None:
                    continue
                document = read_kept(raw, kind, _read_floor(tx, kind.name, scope))
                yield document if isinstance(document, Document) else Unreadable(kind.name, scope, document)


def _document_key(name: str, scope: str) -> str:
    return f"document:{name}:{scope}"


def _floor_key(name: str, scope: str) -> str:
    return f"document_floor:{name}:{scope}"


def _read_floor(tx: Transaction, name: str, scope: str) -> Floor | None:
    raw = read_meta(tx, _floor_key(name, scope))
    if raw is None:
        return None
    version, _, digest = raw.decode("ascii").partition(" ")
    return Floor(int(version), bytes.fromhex(digest))
