"""The port: raw both ways, the same name after a replug, saved pictures, nothing left behind."""

import os
import threading
from pathlib import Path

import pytest
import serial
from PIL import Image

from simulators.printer import PrinterFault, PtyPrinter

TICKET = (
    b"\x1d\x76\x30\x00\x01\x00\x03\x00\x0a\x0d\x03" + b"\x1d\x56\x42\x00"
)  # LF, CR, ETX: a cooked terminal alters them


def test_bytes_pass_untouched_both_ways(tmp_path: Path) -> None:
    with PtyPrinter(width_dots=8, folder=tmp_path) as printer, serial.Serial(printer.port, timeout=5) as port:
        port.write(TICKET + b"\x1d\x28\x48\x06\x00\x30\x30\r\n\x7e\x20")
        assert port.read(7) == b"\x37\x22\r\n\x7e\x20\x00"
        (ticket,) = printer.tickets
    assert bytes(byte ^ 0xFF for byte in ticket.tobytes()) == b"\x0a\x0d\x03"
    with Image.open(tmp_path / "ticket-1.png") as saved:
        assert saved.tobytes() == ticket.tobytes()


def test_the_port_is_raw_before_anyone_sets_it_up() -> None:
    with PtyPrinter(width_dots=8) as printer:
        port = os.open(printer.port, os.O_RDWR | os.O_NOCTTY)
        os.write(port, b"\x1d\x28\x48\x06\x00\x30\x30\r\n\x7e\x20")
        assert os.read(port, 100) == b"\x37\x22\r\n\x7e\x20\x00"
        os.close(port)


def test_the_ticket_is_saved_before_it_is_said_to_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PtyPrinter(width_dots=8, folder=tmp_path) as printer, serial.Serial(printer.port, timeout=5) as port:
        saw: list[bool] = []
        answer = printer._answer

        def answered(said: bytes) -> None:
            if said:
                saw.append((tmp_path / "ticket-1.png").exists())
            answer(said)

        monkeypatch.setattr(printer, "_answer", answered)  # where the word leaves
        port.write(TICKET + b"\x1d\x72\x01")
        assert port.read(1) == b"\x00"
        assert saw == [True]


def test_unplugged_is_an_error_and_plugged_again_has_the_same_name() -> None:
    with PtyPrinter() as printer:
        port = serial.Serial(printer.port, timeout=5)
        printer.unplug()
        with pytest.raises(serial.SerialException):
            port.read(1)
        port.close()
        assert not Path(printer.port).exists()
        printer.plug()
        with serial.Serial(printer.port, timeout=5) as again:
            again.write(b"\x10\x04\x01")
            assert again.read(1) == b"\x12"


def test_a_stalled_line_times_out_and_goes_on() -> None:
    with PtyPrinter() as printer, serial.Serial(printer.port, timeout=5, write_timeout=0.2) as port:
        printer.fault(PrinterFault.STALLED)
        with pytest.raises(serial.SerialTimeoutException):
            port.write(bytes(1 << 20))
        port.reset_output_buffer()
        printer.fault(PrinterFault.STALLED, present=False)
        port.write(b"\x10\x04\x01")
        assert port.read(1) == b"\x12"


def test_waiting_for_a_ticket_ends() -> None:
    with PtyPrinter(width_dots=8) as printer, serial.Serial(printer.port) as port:
        assert not printer.wait_for_tickets(1, 0.0)
        port.write(TICKET)
        assert printer.wait_for_tickets(1, 10.0)


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_closing_leaves_no_thread_no_descriptor_no_file() -> None:
    threads, descriptors = threading.active_count(), _open_descriptors()
    printer = PtyPrinter()
    home = Path(printer.port).parent
    printer.close()
    printer.close()
    assert threading.active_count() == threads
    assert _open_descriptors() == descriptors
    assert not home.exists()
