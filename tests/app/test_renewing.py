"""A whole kiosk against a running backend: it renews its keys by itself, and what it says once it is revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from kiosk import probes
from kiosk.app import Kiosk, Surroundings
from kiosk.chores import documents
from kiosk.clock import SystemClock
from kiosk.diagnostics.report import Check, CheckState
from kiosk.duties import keys_changed
from kiosk.office import service_health
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import IDENTITY, open_existing_store
from kiosk.store.thread import Store
from kiosk.sync.enrol import enrol
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.identity import Identities, Identity, load_identities
from kiosk.sync.renewal import Renewal
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.uploader import Uploader, UploadState, UploadStatus
from kiosk.visit import events as ev
from kiosk.visit.failures import CATALOGUE, Cause, MemberPage
from kiosk.visit.model import State
from simulators.backend import in_thread
from simulators.backend.admin import command
from simulators.backend.files import DataDir
from simulators.backend.server import Ready
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.app.test_app import PATIENCE_S, Watcher, broken_drawing
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide
from tests.sync.support import FakeClock
from tests.sync.tpm import software_tpm

DAY_S = 86_400
KIOSK = "borne-0001"


class Scene:
    """A backend whose clock a test sets, and the state directory of one kiosk."""

    def __init__(self, folder: Path, ready: Ready, utc: FakeUtc) -> None:
        self.folder, self.ready, self.utc = folder, ready, utc
        self.state_dir = folder / "kiosk"

    def operate(self, do: str, **values: Any) -> dict[str, Any]:
        return command(DataDir(self.folder / "data"), {"do": do, "kiosk": KIOSK, **values})

    def enrol(self, ago_s: int = 0, key_store: str = "file:") -> Settings:
        """Enrolled so long ago."""
        self.utc.now_s = int(time.time()) - ago_s
        done = enrol(
            origin=self.ready.enrol_origin,
            ca_file=Path(self.ready.ca_file),
            ticket_text=self.operate("ticket", site_kind="agency")["ticket"],
            state_dir=self.state_dir / IDENTITY,
            kiosk_serial="SN-1",
            key_store=key_store,
        )
        assert isinstance(done, Identity), done
        self.utc.now_s = int(time.time())
        return Settings(KioskSettings(self.state_dir, "SN-1", key_store), ReaderSettings(READERS[0]))

    def keys(self) -> dict[str, str]:
        return {key["keyid"]: key["state"] for key in self.operate("keys")["keys"]}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    utc = FakeUtc(int(time.time()))
    with in_thread(tmp_path / "data", utc, personas=()) as ready:
        yield Scene(tmp_path, ready, utc)


class Running:
    """A started kiosk."""

    def __init__(self, settings: Settings) -> None:
        self.watcher = Watcher()
        self.kiosk = Kiosk(settings, Surroundings(EmbeddedScard(), self.watcher.publish, broken_drawing, SystemClock()))
        self.kiosk.start()

    def wait(self, fits: Callable[[State], bool]) -> State:
        return self.watcher.wait(fits)

    def wait_for_fact(self, kind: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not self._facts(kind):
            assert time.monotonic() < end_s, kind
            time.sleep(0.02)  # a journal tells nobody

    def _facts(self, kind: str) -> int:
        assert isinstance(self.kiosk.store, Store)
        statement = "SELECT seq FROM journal WHERE type = ?"
        return len(self.kiosk.store.submit(lambda tx: tx.execute(statement, (kind,))).result())


def diagnosed(settings: Settings) -> dict[str, Check]:
    return {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}


def test_a_kiosk_renews_its_keys_by_itself_and_goes_on_with_them(scene: Scene) -> None:
    settings = scene.enrol(ago_s=11 * DAY_S)
    before = diagnosed(settings)["keys"]
    assert (before.state, before.facts["renewal"], before.facts["generation"]) == (CheckState.OK, "due", 1)
    assert (before.facts["store"], before.facts["sealed_by"]) == ("file", "nothing (mode 0600)")
    running = Running(settings)
    try:
        running.wait_for_fact("enrolled")  # not by the command, which might have been cut off
        running.wait_for_fact("renewed")
        running.wait(lambda state: state.world.service_up is True)
        assert scene.keys() == {f"{KIOSK}/1": "grace", f"{KIOSK}/2": "active"}
        assert running.kiosk.office.credentials is not None
        assert running.kiosk.office.credentials.current.signing_key.keyid == f"{KIOSK}/2"
    finally:
        running.kiosk.stop()
    after = diagnosed(settings)
    assert (after["keys"].facts["generation"], after["keys"].facts["renewal"]) == (2, "not due")
    assert after["channel"].state is CheckState.OK
    assert scene.operate("keys")["alarms"] == []


def test_a_kiosk_cut_off_before_it_heard_of_its_new_keys_and_away_past_the_grace(scene: Scene) -> None:
    """The old key is retired: the new one is proven before anything else is asked, and what was held goes on."""
    settings = scene.enrol(ago_s=11 * DAY_S)
    held = load_identities(scene.state_dir / IDENTITY)
    assert isinstance(held, Identities)
    renewal = Renewal(held, "SN-1")
    assert renewal.request(scene.utc.now_s) is None
    assert renewal.following is not None
    KioskSide(DataDir(scene.folder / "data"), renewal.following, scene.utc).good("/v1/policy/state", {"known": {}})
    assert scene.keys() == {f"{KIOSK}/1": "grace", f"{KIOSK}/2": "active"}
    scene.utc.now_s += DAY_S + 60
    running = Running(settings)
    try:
        running.wait_for_fact("renewed")
        running.wait(lambda state: state.world.service_up is True)
        assert running.kiosk._duties is not None
        assert running.kiosk._duties.uploading.check().facts.get("reason", "") == ""
    finally:
        running.kiosk.stop()


def test_what_was_held_for_a_refused_key_goes_on_with_another() -> None:
    for reason, goes_on in (("key_state", True), ("quarantined", False), ("", False)):
        uploader = _Held(UploadStatus(UploadState.HELD, reason))
        keys_changed(cast(Uploader, uploader))
        assert uploader.resumed is goes_on, reason


@dataclass
class _Held:
    status: UploadStatus
    resumed: bool = False

    def resume(self) -> None:
        self.resumed = True


def test_a_kiosk_that_comes_back_after_its_certificate_has_expired(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "CALL_S", 0.5)
    monkeypatch.setattr(documents, "RETRY_S", 2.0)  # for a call in vain, and for those that are not
    settings = scene.enrol(ago_s=20 * DAY_S)
    assert diagnosed(settings)["keys"].state is CheckState.FAULT
    running = Running(settings)
    try:
        running.wait_for_fact("renewed")
        running.wait(lambda state: state.world.service_up is True)
    finally:
        running.kiosk.stop()
    assert scene.keys()[f"{KIOSK}/2"] == "active"
    assert diagnosed(settings)["keys"].state is CheckState.OK


def test_a_kiosk_with_a_tpm(scene: Scene) -> None:
    with software_tpm(scene.folder / "tpm") as tcti:
        settings = scene.enrol(ago_s=11 * DAY_S, key_store=f"tpm2:{tcti}")
        running = Running(settings)
        try:
            running.wait_for_fact("renewed")
            running.wait(lambda state: state.world.service_up is True)
            beside = diagnosed(settings)
            assert beside["channel"].state is CheckState.OK
        finally:
            running.kiosk.stop()
        facts = diagnosed(settings)["keys"].facts
        assert (facts["store"], facts["sealed_by"], facts["database_key"]) == ("tpm2", "tpm2", "sealed")
        store = open_existing_store(scene.state_dir, settings.kiosk.key_store)
        assert isinstance(store, Store)
        store.close()
    gone = diagnosed(settings)
    assert gone["channel"].fault is not None
    assert "TPM" in gone["channel"].fault.detail
    assert gone["store"].fault is not None
    private = b"PRIVATE KEY"
    keys = [path for path in (scene.state_dir / IDENTITY / "keys").iterdir() if private in path.read_bytes()]
    assert keys == []


def test_a_revoked_kiosk_is_out_of_service_and_says_why(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "POLL_S", 0.1)
    settings = scene.enrol()
    running = Running(settings)
    try:
        running.wait(lambda state: state.world.service_up is True)
        scene.operate("revoke")
        state = running.wait(lambda state: state.world.service_up is False)
        assert state.world.service_fault is not None
        assert state.world.service_fault.cause is Cause.KIOSK_REFUSED
        assert CATALOGUE[Cause.KIOSK_REFUSED].page is MemberPage.SUSPENDED
        running.kiosk.background.wake()
        running.wait_for_fact("revoked")
    finally:
        running.kiosk.stop()
    assert diagnosed(settings)["channel"].state is CheckState.FAULT


def test_only_a_refused_key_means_that_there_is_no_service() -> None:
    clock = FakeClock()
    keeper = TimeKeeper(clock, keep_floor=lambda _: None)
    for reason in RefusalReason:
        told = list(service_health(Refusal(403, reason, "UNAVAILABLE"), keeper))
        down = [event for event in told if isinstance(event, ev.ServiceDown)]
        assert bool(down) is (reason is RefusalReason.KEY_STATE), reason
