"""Which Qt the kiosk refuses to start on.

PySide6 6.12 on a Python before 3.12 loses a reference to `None` or `True` at each signal and each event round, until
the process aborts (interface reference, stack). Python 3.12 makes these objects immortal.
"""

from __future__ import annotations

_LOSES_REFERENCES = (6, 12)
_IMMORTAL_CONSTANTS = (3, 12)


def refused_qt(pyside: tuple[int, ...], python: tuple[int, ...]) -> str | None:
    """A sentence for the technician when this pair of versions (major, minor, …) must not run, else None."""
    if pyside[:2] == _LOSES_REFERENCES and python[:2] < _IMMORTAL_CONSTANTS:
        return (
            f"PySide6 {'.'.join(map(str, pyside[:3]))} does not last on Python {'.'.join(map(str, python[:2]))}: "
            "install the locked PySide6-Essentials, or use Python 3.12 or later."
        )
    return None
