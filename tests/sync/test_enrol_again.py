"""Enrolling an enrolled kiosk: left alone, repeated, or begun anew without a moment between two keys."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from kiosk.sync.enrol import EnrolError
from kiosk.sync.enrol_record import RECORD, last_enrolment
from kiosk.sync.identity import Identity, IdentityError, load_identity
from kiosk.sync.wire import WireFailure
from tests.sync.enrol_listener import Listener, enrolled, scripted


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return scripted(tmp_path, monkeypatch)


def test_a_repeat_after_a_lost_answer_uses_the_same_keys(tmp_path: Path, listener: Listener) -> None:
    listener.change = lambda _: WireFailure("ReadTimeout")
    assert enrolled(tmp_path) == EnrolError("network", "ReadTimeout")
    first = listener.enrolled
    listener.change = lambda answer: answer
    assert isinstance(enrolled(tmp_path), Identity)
    assert listener.enrolled == first


def test_an_enrolled_kiosk_is_left_alone(tmp_path: Path, listener: Listener) -> None:
    assert isinstance(enrolled(tmp_path), Identity)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    other = enrolled(tmp_path, ticket_text=f"borne-7:{'1' * 32}")
    assert other == EnrolError("state_dir", "this kiosk is enrolled already")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("again", [False, True])
def test_a_ticket_that_has_brought_the_keys_in_force_changes_nothing(
    tmp_path: Path, listener: Listener, again: bool
) -> None:
    first = enrolled(tmp_path)
    assert isinstance(first, Identity)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    listener.requests.clear()
    repeated = enrolled(tmp_path, again=again)
    assert isinstance(repeated, Identity)
    assert repeated.signing_key.public_spki() == first.signing_key.public_spki()
    assert {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()} == before
    assert listener.requests == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not JSON"),
        (b"{}", "ticket_sha256"),
        (b'{"ticket_sha256":"0","slot":1,"keyid":"borne-7/3","settled":true}', "ticket_sha256"),
        (b" " * 1025, "1024 bytes"),
    ],
)
def test_a_record_that_cannot_be_read_is_one_error(
    tmp_path: Path, listener: Listener, content: bytes, reason: str
) -> None:
    assert isinstance(enrolled(tmp_path), Identity)
    (tmp_path / "state" / RECORD).write_bytes(content)
    error = last_enrolment(tmp_path / "state")
    assert isinstance(error, IdentityError)
    assert error.field == RECORD
    assert reason in error.reason


def test_an_enrolled_kiosk_may_be_enrolled_again_under_its_own_name(tmp_path: Path, listener: Listener) -> None:
    first = enrolled(tmp_path)
    assert isinstance(first, Identity)
    listener.enrolled = None
    again = enrolled(tmp_path, ticket_text=f"borne-7:{'1' * 32}", again=True)
    assert isinstance(again, Identity)
    assert again.slot == 3
    assert again.signing_key.public_spki() != first.signing_key.public_spki()
    listener.enrolled = None
    other = enrolled(tmp_path, ticket_text=f"borne-8:{'1' * 32}", again=True)
    assert other == EnrolError("ticket", "is for another kiosk than the one enrolled here")
    third = enrolled(tmp_path, ticket_text=f"borne-7:{'2' * 32}", again=True)
    assert isinstance(third, Identity)
    assert third.slot == 5


def test_enrolling_again_is_no_moment_without_keys(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every write: the old keys stay in force, and a repeat with the ticket goes on with the same new ones."""
    first = enrolled(tmp_path)
    assert isinstance(first, Identity)
    cut: list[str] = []
    was_cut = True
    while was_cut:
        listener.enrolled = None
        place = tmp_path / f"cut-{len(cut)}"
        shutil.copytree(tmp_path / "state", place)
        request = {"ticket_text": f"borne-7:{'1' * 32}", "again": True, "state_dir": place}
        with monkeypatch.context() as patched:
            renames = _cut_at_rename(patched, len(cut) + 1)
            with contextlib.suppress(_CutError):
                enrolled(tmp_path, **request)
        held = load_identity(place)
        assert isinstance(held, Identity), renames[-1]
        was_cut = len(renames) > len(cut)
        if was_cut:
            cut.append(renames[-1])
            assert held.signing_key.public_spki() == first.signing_key.public_spki(), renames[-1]
            assert isinstance(enrolled(tmp_path, **request), Identity), renames[-1]
            held = load_identity(place)
        assert isinstance(held, Identity), renames[-1]
        assert (held.slot, held.signing_key.keyid) == (3, "borne-7/3")
        assert held.signing_key.public_spki() != first.signing_key.public_spki()
    assert cut == [
        "ledger.json", "signing-3.pem", "tls-3.key.pem", "ca.pem", "tls-3.cert.pem", RECORD, "trust.json",
        "ledger.json",
    ]  # fmt: skip


class _CutError(Exception):
    """Power has gone."""


def _cut_at_rename(patched: pytest.MonkeyPatch, step: int) -> list[str]:
    renames: list[str] = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        renames.append(target.name)
        if len(renames) == step:
            raise _CutError
        return real(self, target)

    patched.setattr(Path, "rename", rename)
    return renames
