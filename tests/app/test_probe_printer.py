"""`diagnose` asks the printer itself: what it says, and a ticket in its output where it can tell of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk import probes
from kiosk.diagnostics.report import CheckState
from kiosk.settings import KioskSettings, PrinterSettings, Settings
from kiosk.visit.failures import Cause
from simulators.printer import PrinterFault, PtyPrinter

TICKET = b"\x1d\x76\x30\x00\x01\x00\x01\x00\xff\x1d\x56\x42\x00"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a printer that answers, however late it gets its turn."""
    monkeypatch.setattr(probes, "ANSWER_S", 10.0)


def settings(printer: PtyPrinter, profile: str) -> Settings:
    return Settings(KioskSettings(Path("absent")), printer=PrinterSettings(printer.port, profile))


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("profile", "facts"),
    [("escpos-80mm", {"health": "ok"}), ("custom-80mm", {"health": "ok", "output": "empty"})],
)
def test_a_printer_that_is_well(profile: str, facts: dict[str, str]) -> None:
    with PtyPrinter(custom=profile.startswith("custom")) as printer:
        check = probes._printer(settings(printer, profile))
    assert (check.state, check.fault, check.facts) == (CheckState.OK, None, facts)


@pytest.mark.usefixtures("patient")
def test_a_ticket_that_nobody_took() -> None:
    with PtyPrinter(custom=True) as printer:
        with Path(printer.port).open("wb", buffering=0) as port:
            port.write(TICKET)
        assert printer.wait_for_tickets(1, 10)
        check = probes._printer(settings(printer, "custom-80mm"))
    assert check.facts == {"health": "ok", "output": "a ticket waits"}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (PrinterFault.HEAD, Cause.PRINTER_HEAD),
        (PrinterFault.PAPER_OUT, Cause.PRINTER_PAPER),
    ],
)
def test_a_printer_in_trouble(fault: PrinterFault, cause: Cause) -> None:
    with PtyPrinter(custom=True) as printer:
        printer.fault(fault)
        check = probes._printer(settings(printer, "custom-80mm"))
    assert check.state is CheckState.FAULT
    assert check.fault is not None
    assert check.fault.cause is cause


def test_a_printer_that_says_nothing_is_unknown() -> None:
    with PtyPrinter(custom=True) as printer:
        printer.fault(PrinterFault.SILENT)
        check = probes._printer(settings(printer, "custom-80mm"))
    assert check.state is CheckState.UNKNOWN
    assert check.fault is not None
    assert check.fault.cause is Cause.PRINTER_SILENT


def test_a_port_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    absent = PrinterSettings(str(tmp_path / "absent"))
    check = probes._printer(Settings(KioskSettings(tmp_path), printer=absent))
    assert check.state is CheckState.UNKNOWN
    assert "No such file or directory" in check.facts["reason"]


def test_the_wrong_dialect_is_unknown_and_never_well() -> None:
    with PtyPrinter(custom=False) as printer:
        assert probes._printer(settings(printer, "custom-80mm")).state is CheckState.UNKNOWN
    with PtyPrinter(custom=True) as printer:
        assert probes._printer(settings(printer, "escpos-80mm")).state is CheckState.UNKNOWN
