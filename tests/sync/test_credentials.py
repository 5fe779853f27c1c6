"""The holder of the keys in force, the ledger of slots, and a channel that follows both."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.identity import Identity, Trust
from kiosk.sync.identity_files import LEDGER, Entry, FileError, Ledger, read_ledger, write_ledger
from kiosk.sync.keys import KeyUnusableError
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.wire import WireFailure
from kiosk.visit.failures import Cause, Fault
from tests.sync.support import KIOSK, KIOSK_KEY, NOW_S, ORIGIN, SERVER_KEYS, FakeClock
from tests.sync.test_client import Backend, refusal

ROUTE = "/v1/identify"


def identity(slot: int = 1) -> Identity:
    return Identity(
        kiosk=KIOSK,
        trust=Trust(ORIGIN, SERVER_KEYS, {}),
        signing_key=KIOSK_KEY,
        certificate_from_s=NOW_S - 1,
        certificate_until_s=NOW_S + 1_000_000,
        directory=Path("/nonexistent"),
        slot=slot,
    )


def test_what_was_said_of_replaced_keys_is_said_of_nobody() -> None:
    old, new = identity(1), identity(2)
    credentials = Credentials(old)
    said: list[bool] = []

    def told(keys: Identity, *, accepted: bool) -> None:
        credentials.told(keys, accepted=accepted)
        said.append(credentials.refused)

    told(old, accepted=True)
    told(old, accepted=False)
    credentials.replace(new)
    assert credentials.current is new
    told(old, accepted=False)
    told(new, accepted=False)
    told(old, accepted=True)
    told(new, accepted=True)
    assert said == [False, True, False, True, True, False]


def test_a_channel_tells_whether_its_keys_are_accepted() -> None:
    clock = FakeClock()
    backend, credentials = Backend(clock), Credentials(identity())
    channel = Channel(credentials, TimeKeeper(clock, keep_floor=lambda _: None), clock, wire=backend)
    for status, reason in ((403, "key_state"), (403, "quarantined"), (403, "key_state")):
        backend.script = [refusal(status, reason)]
        answer = channel.call(ROUTE, {})
        assert isinstance(answer, Refusal)
        assert credentials.refused is (answer.reason is RefusalReason.KEY_STATE)
    backend.script = [lambda _: WireFailure("ReadTimeout")]
    channel.call_raw(ROUTE, b"{}", "0" * 32)
    assert credentials.refused, "nothing was proven"
    assert channel.call(ROUTE, {}) == {"ok": True}
    assert not credentials.refused


class _GoneKey:
    keyid, alg = KIOSK_KEY.keyid, KIOSK_KEY.alg

    def public_spki(self) -> bytes:
        return KIOSK_KEY.public_spki()

    def sign(self, message: bytes) -> bytes:
        raise KeyUnusableError("the TPM does not sign: gone")


def test_a_key_that_does_not_sign_any_more_is_a_fault_and_nothing_is_sent() -> None:
    clock = FakeClock()
    backend = Backend(clock)
    keys = replace(identity(), signing_key=_GoneKey())
    channel = Channel(keys, TimeKeeper(clock, keep_floor=lambda _: None), clock, wire=backend)
    answer = channel.call(ROUTE, {})
    assert isinstance(answer, Fault)
    assert (answer.cause, answer.detail) == (Cause.NOT_ENROLLED, "the TPM does not sign: gone")
    assert backend.seen == []


# --- the ledger ---------------------------------------------------------------------------------------------------

ENTRIES = st.builds(Entry, st.integers(1, 500), st.integers(1, 999_999).map(lambda n: f"borne-7/{n}"))


@settings(max_examples=50, deadline=None)
@given(current=ENTRIES, following=ENTRIES, has_next=st.booleans())
def test_a_ledger_comes_back(tmp_path_factory: Any, current: Entry, following: Entry, has_next: bool) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    later = Entry(current.slot + following.slot, following.keyid)
    ledger = Ledger(current, later if has_next else None)
    write_ledger(folder, ledger)
    assert read_ledger(folder) == ledger
    assert stat.S_IMODE((folder / LEDGER).stat().st_mode) == 0o600


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["current", "next", "slot", "keyid", "x"]), inner, max_size=4
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_file_is_a_ledger_or_one_error(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    (folder / LEDGER).write_bytes(content)
    assert isinstance(read_ledger(folder), Ledger | FileError)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{}", "current: missing"),
        (b'{"current":{"slot":0,"keyid":"b/1"},"next":null}', "current.slot: a whole number from 1 to 999999 expected"),
        (b'{"current":{"slot":1,"keyid":"b"},"next":null}', "current.keyid: "),
        (b'{"current":{"slot":1,"keyid":"b/1"}}', "next: missing"),
        (
            b'{"current":{"slot":2,"keyid":"b/1"},"next":{"slot":2,"keyid":"b/2"}}',
            "next: a slot above the current one expected",
        ),
        (b" " * 2000, ""),
    ],
)
def test_ledgers_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / LEDGER).write_bytes(content)
    refused = read_ledger(tmp_path)
    assert isinstance(refused, FileError)
    assert refused.reason.startswith(reason), refused


def test_no_ledger_is_none(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) is None
    assert isinstance(read_ledger(tmp_path / "missing" / "folder"), type(None))
    (tmp_path / LEDGER).mkdir()
    assert isinstance(read_ledger(tmp_path), FileError)
