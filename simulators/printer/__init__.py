"""A ticket printer made of software: same bytes, same moods, and the paper is a picture."""

from simulators.printer.engine import PrinterEngine, PrinterFault
from simulators.printer.pty import PtyPrinter

__all__ = ["PrinterEngine", "PrinterFault", "PtyPrinter"]
