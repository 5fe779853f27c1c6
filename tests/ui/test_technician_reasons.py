"""The sentences that parts give in English are French on the technician's page, each of them, and nothing is lost."""

from __future__ import annotations

import errno
import os
import re

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.status import NO_PORT
from kiosk.store.database import sqlite_version_problem
from kiosk.store.errors import _REASONS as STORE_REASONS
from kiosk.sync.faults import RefusalReason
from kiosk.sync.messages import Reason
from kiosk.sync.strict_json import JsonError, decode
from kiosk.ui.technician_reasons import REASONS, in_french
from kiosk.ui.typography import plain
from kiosk.visit.policy import Quarantine
from kiosk.visit.ports import PrinterHealth
from tests.ui.technician_sources import sentences

_KEY_FILES = ("sync/keys_store.py", "sync/keys_seal.py", "sync/keys_open.py")
_SEALING = {"paths": ("sync/keys.py", "sync/keys_tpm.py"), "within": ("read_private", "unseal", "seal", "_told")}
STORE = {
    *sentences(("StoreError",), ("store", *_KEY_FILES), argument=1),
    *sentences(("KeyStoreError",), _KEY_FILES, argument=1),
    *sentences(("KeyStoreError",), **_SEALING, argument=1),
    *sentences(("OutboxFull",), ("sync/outbox.py",), argument=0),
    *sentences(("store_failed",), ("performing.py",), argument=0),
    *(error.reason for error in STORE_REASONS.values()),
}
PLACES = sentences(("StoreError", "KeyStoreError"), ("store", *_KEY_FILES), argument=0)
JOURNAL = sentences(("JournalVerdict",), ("journal/journal.py",), argument=3)
READERS = {
    *sentences(("LinkError",), ("hardware/pcsc/slot.py", "hardware/pcsc/watchdog.py"), argument=1),
    "{} not among {} readers",
} - {"the card has left"}  # of a card session, not of a reader
CHANNEL = sentences(
    ("network", "unsigned_answer", "clock_wrong", "not_enrolled", "WireFailure"),
    ("sync/client.py", "sync/wire.py", "office.py", "status.py"),
    argument=0,
)
DOCUMENTS = {
    *sentences(("DocumentError",), ("sync/documents.py", "sync/documents_keeper.py"), argument=1),
    *sentences(("refuse", "_refuse"), ("sync/documents.py", "sync/documents_bodies.py", "sync/fields.py"), argument=1),
    *sentences(("PolicyError",), ("visit/policy.py",), argument=1),
    *sentences(("JsonError", "_LoopholeError"), ("sync/strict_json.py",), argument=0),
}
WORDS = {
    *RefusalReason,
    *Reason,
    *Quarantine,
    PrinterHealth.FAULT,
    PrinterHealth.OFFLINE,
    *sentences(("_stop",), ("sync/uploader.py",), argument=0),
}


@pytest.mark.parametrize("english", sorted(STORE | PLACES | JOURNAL | READERS | CHANNEL | DOCUMENTS | WORDS))
def test_every_sentence_of_a_part_has_its_french(english: str) -> None:
    pieces = [english] if english in REASONS else english.split(": ")
    assert all(piece in REASONS for piece in pieces if re.search("[a-z]", piece)), f"{english!r} would be shown raw"


def test_enough_was_found() -> None:
    assert [
        len(found) > least for found, least in ((STORE, 35), (JOURNAL, 5), (READERS, 3), (CHANNEL, 10), (DOCUMENTS, 40))
    ]


OF_OTHER_USES = {"ProxyError", "UnsupportedProtocol", "LocalProtocolError", "PoolTimeout", "CloseError", "SSEError"}


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind, *(each for below in kind.__subclasses__() for each in _subclasses(below))}


def test_every_way_to_lose_a_connection_has_its_french() -> None:
    leaves = {kind.__name__ for kind in _subclasses(httpx2.TransportError) if not kind.__subclasses__()}
    assert leaves - OF_OTHER_USES <= set(REASONS)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_the_system_says_is_french(number: int) -> None:
    assert os.strerror(number) in REASONS


BY_OPENSSL = {
    "certificate has expired",
    "certificate is not yet valid",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
}
ELSEWHERE = {
    NO_PORT,
    "no signed time yet",
    "a card was left in the slot",
    "a ticket was left in the output",
    "expired",  # of a document
    "numbering",  # of the outbox
    "readers.patient is not set",
    "server certificate refused",
    "the TPM does not sign",
    "SQLite {} may corrupt a write-ahead log; 3.51.3 or later is needed",
    "SQLite {} was withdrawn",
}


def test_no_sentence_is_left_over() -> None:
    found = {
        piece for english in STORE | PLACES | JOURNAL | READERS | CHANNEL | DOCUMENTS for piece in english.split(": ")
    }
    found |= STORE | CHANNEL | DOCUMENTS | WORDS | {f"{word} {{}}" for word in WORDS} | BY_OPENSSL | ELSEWHERE
    found |= {f"{english} at {{}}" for english in DOCUMENTS} | {os.strerror(number) for number in errno.errorcode}
    found |= {kind.__name__ for kind in _subclasses(httpx2.TransportError)}
    assert set(REASONS) - found == set()


def test_french_takes_what_differs_in_the_same_order() -> None:
    for english, french in REASONS.items():
        assert english.count("{}") == french.count("{}"), english
        assert french, english


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("key: wrong key, or the file is damaged", "clé de la base – clé fausse, ou fichier abîmé"),
        ("key: seal: kiosk-seal: No such file or directory", "clé de la base – sceau – kiosk-seal – n'existe pas"),
        ("payload.version: below 5, the last accepted", "payload.version – inférieure à 5, la dernière acceptée"),
        ("payload.body.idle_s: a text expected", "payload.body.idle_s – texte attendu"),
        ("payload.type: policy expected", "payload.type – policy attendu"),
        ("SCardConnect over its limit on Reader 00 00", "SCardConnect : délai dépassé sur Reader 00 00"),
        ("server certificate refused: certificate has expired", "certificat du serveur refusé – il a expiré"),
        ("status 200: field_missing signature", "statut 200 – en-tête absent : signature"),
        ("key_state BAD_SIGNATURE", "clé refusée : BAD_SIGNATURE"),
        ("TPM: tpm:parameter(1):value", "puce TPM – tpm:parameter(1):value"),
        # nobody has written these: as they are
        ("SCardListReaders 0x8010001d", "SCardListReaders 0x8010001d"),
        ("some: new words", "some: new words"),
        ("", ""),
        ("key: " * 200, "key: " * 200),
    ],
)
def test_a_reason_in_french(english: str, french: str) -> None:
    assert plain(in_french(english)) == french


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[]", b'{"a":NaN}', b'{"a":' * 20, b" " * 100])
def test_what_is_wrong_with_json_is_french(raw: bytes) -> None:
    error = decode(raw, 99)
    assert isinstance(error, JsonError)
    assert in_french(f"payload: {error}") != f"payload: {error}"


@pytest.mark.parametrize("version", ["3.40.1", "3.52.0"])
def test_why_this_sqlite_is_not_used_is_french(version: str) -> None:
    problem = sqlite_version_problem(version)
    assert problem is not None
    assert in_french(problem) != problem


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=8), max_size=60).map(": ".join))
def test_numbers_and_names_are_never_lost(text: str) -> None:
    told = plain(in_french(text))
    assert re.findall("[0-9]+", told) == re.findall("[0-9]+", text)
