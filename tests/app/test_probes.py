"""`diagnose` looks and touches nothing: what is not there is said, not made."""

from __future__ import annotations

import plistlib
import threading
from pathlib import Path
from typing import Any

import pytest

from kiosk import probes
from kiosk.diagnostics.report import Check, CheckState
from kiosk.hardware.pcsc import api
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import DATABASE, DATABASE_KEY, open_store
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.visit.failures import Cause
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.reader.scripted import Row, ScriptedScard


def look(state_dir: Path) -> dict[str, Check]:
    settings = Settings(KioskSettings(state_dir), ReaderSettings(READERS[0]))
    return {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}


def test_a_machine_on_which_nothing_ran_stays_as_it_was(tmp_path: Path) -> None:
    checks = look(tmp_path / "state")
    assert checks["store"].state is CheckState.UNKNOWN
    assert "not run yet" in checks["store"].facts["reason"]
    assert checks["channel"].fault is not None
    assert checks["channel"].fault.cause is Cause.NOT_ENROLLED
    assert checks["reader patient"].state is CheckState.OK
    assert list(tmp_path.iterdir()) == []


def test_a_key_without_a_database_gets_none(tmp_path: Path) -> None:
    (tmp_path / DATABASE_KEY).write_bytes(bytes(32))
    assert look(tmp_path)["store"].state is CheckState.UNKNOWN
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE_KEY]


def test_a_database_without_its_key_is_a_fault(tmp_path: Path) -> None:
    opened = open_store(tmp_path)
    assert isinstance(opened, Store)
    opened.close()
    (tmp_path / DATABASE_KEY).unlink()
    check = look(tmp_path)["store"]
    assert check.fault is not None
    assert (check.state, check.fault.cause) == (CheckState.FAULT, Cause.STORE_FAILED)
    assert not (tmp_path / DATABASE_KEY).exists()


def test_a_store_that_fails_while_it_is_looked_at_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_store(tmp_path)
    assert isinstance(opened, Store)
    opened.close()

    def failing(*_: object) -> Any:
        raise StoreFailedError(StoreError("disk", "read or write error"))

    monkeypatch.setattr(Store, "_transact", failing)
    check = look(tmp_path)["store"]
    assert check.fault is not None
    assert check.fault.detail == "disk: read or write error"
    assert (tmp_path / DATABASE).exists()


@pytest.mark.parametrize(
    ("bound", "detail"), [("", "patient: the reader's name is empty"), ("Another", "no 'Another' among the readers")]
)
def test_the_names_to_bind_are_shown(tmp_path: Path, bound: str, detail: str) -> None:
    settings = Settings(KioskSettings(tmp_path / "state"), ReaderSettings(bound))
    (check,) = [one for one in probes.look(settings, EmbeddedScard()).checks if one.part == "reader patient"]
    assert check.fault is not None
    assert (check.fault.detail, check.facts) == (detail, {"readers": ", ".join(READERS)})


# --- what hangs, and what is denied -------------------------------------------------------------------------------


class Frozen(EmbeddedScard):
    """A service that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.thawed = threading.Event()

    def establish_context(self) -> tuple[int, int]:
        self.thawed.wait(10)
        return super().establish_context()


def test_a_probe_that_hangs_is_not_finished_and_the_report_comes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PROBE_S", 0.1)
    scard = Frozen()
    settings = Settings(KioskSettings(tmp_path / "state"), ReaderSettings(READERS[0]))
    report = probes.look(settings, scard)
    scard.thawed.set()
    checks = {check.part: check for check in report.checks}
    hung = checks["reader patient"]
    assert (hung.state, hung.fault and hung.fault.cause) == (CheckState.FAULT, Cause.READER_HUNG)
    assert {"printer", "store", "channel"} <= set(checks)
    assert not report.well


@pytest.mark.parametrize(
    ("asked_again", "cause"),
    [([0x8010006A] * 3, Cause.ACCESS_DENIED), ([0x8010001D], Cause.SERVICE_LOST), ([0], Cause.SERVICE_LOST)],
)
def test_a_denial_is_believed_of_a_living_service_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked_again: list[int], cause: Cause
) -> None:
    monkeypatch.setattr(api, "DENIED_AGAIN_S", (0.0,) * len(api.DENIED_AGAIN_S))
    rows = [Row("establish_context", result, 7) for result in (0x8010006A, *asked_again)]
    scard = ScriptedScard([*rows, *[Row("release_context")] * (asked_again[-1] == 0)])
    settings = Settings(KioskSettings(tmp_path / "state"), ReaderSettings(READERS[0]))
    checks = {check.part: check for check in probes.look(settings, scard).checks}
    fault = checks["reader patient"].fault
    assert fault is not None
    assert fault.cause is cause
    assert scard.ended


# --- readers on USB ----------------------------------------------------------------------------------------------


def usb_check(tmp_path: Path, *products: str, service: bool = True) -> Check:
    """Vendor 0b00; product 0090 has no driver, 0001 has one and is called as the embedded reader is."""
    for number, product in enumerate(products):
        folder = tmp_path / "usb" / f"1-{number}"
        folder.mkdir(parents=True)
        for name, content in (("idVendor", "0b00"), ("idProduct", product), ("bDeviceClass", "0b")):
            (folder / name).write_text(content, encoding="ascii")
    (tmp_path / "usb").mkdir(exist_ok=True)
    bundle = tmp_path / "drivers" / "ccid.bundle" / "Contents"
    bundle.mkdir(parents=True)
    rows = {"ifdVendorID": ["0x0B00"], "ifdProductID": ["0x0001"], "ifdFriendlyName": ["Embedded Reader"]}
    (bundle / "Info.plist").write_bytes(plistlib.dumps(rows))
    scard = EmbeddedScard()
    if not service:
        scard.service_down()
    settings = Settings(KioskSettings(tmp_path / "state"), ReaderSettings(READERS[0]))
    report = probes.look(settings, scard, usb=tmp_path / "usb", drivers=tmp_path / "drivers")
    return next(check for check in report.checks if check.part == "usb readers")


@pytest.mark.parametrize(
    ("products", "service", "state"),
    [
        ([], True, CheckState.OK),
        (["0001"], True, CheckState.OK),
        (["0001", "0001"], True, CheckState.FAULT),
        (["0001", "0090"], True, CheckState.FAULT),
        (["0001"], False, CheckState.UNKNOWN),
        (["0090"], False, CheckState.FAULT),
        ([], False, CheckState.OK),
    ],
)
def test_a_usb_reader_that_pcsc_does_not_show_is_said(
    tmp_path: Path, products: list[str], service: bool, state: CheckState
) -> None:
    check = usb_check(tmp_path, *products, service=service)
    assert (check.state, check.facts) == (state, {"devices": len(products)})


def test_the_device_and_the_reason_are_named(tmp_path: Path) -> None:
    row = usb_check(tmp_path, "0090").as_json()
    assert (row["code"], row["detail"]) == (
        Cause.READER_UNSEEN.value,
        "1-0 0b00:0090 Ingenico SESAM-Vitale: no PC/SC driver is installed for it",
    )


def test_a_kernel_that_lists_no_usb_is_unknown(tmp_path: Path) -> None:
    settings = Settings(KioskSettings(tmp_path / "state"), ReaderSettings(READERS[0]))
    report = probes.look(settings, EmbeddedScard(), usb=tmp_path / "none", drivers=tmp_path)
    (state,) = [check.state for check in report.checks if check.part == "usb readers"]
    assert state is CheckState.UNKNOWN
