"""The refused pairs of Qt and Python; and this very pair, tried out where an abort harms no one."""

import subprocess
import sys

import pytest

from kiosk.ui.qt_guard import refused_qt

# Emits a signal, sets a name and runs events 300 times, then prints how many references None and True lost.
_TRIAL = """
import sys
from PySide6.QtCore import QCoreApplication, QObject, Signal

class Sender(QObject):
    told = Signal(bool)

application, sender = QCoreApplication([]), Sender()
sender.told.connect(lambda value: None)
before = [sys.getrefcount(None), sys.getrefcount(True)]
for _ in range(300):
    sender.told.emit(True)
    sender.setObjectName("name")
    application.processEvents()
after = [sys.getrefcount(None), sys.getrefcount(True)]
print(max(b - a for a, b in zip(after, before)))
"""


@pytest.mark.parametrize(
    ("pyside", "python", "refused"),
    [
        ((6, 11, 3), (3, 11, 2), False),
        ((6, 12, 0), (3, 11, 2), True),
        ((6, 12, 3), (3, 10, 0), True),
        ((6, 12, 0), (3, 12, 0), False),
        ((6, 13, 0), (3, 11, 2), False),
    ],
)
def test_refused_pairs(pyside: tuple[int, ...], python: tuple[int, ...], refused: bool) -> None:
    sentence = refused_qt(pyside, python)
    assert (sentence is not None) == refused
    if sentence is not None:
        assert ".".join(map(str, pyside)) in sentence


def test_this_pair_loses_no_reference() -> None:
    trial = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, text=True, check=True, timeout=60)
    assert int(trial.stdout) <= 50
