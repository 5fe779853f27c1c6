"""What every test stands on: Qt draws offscreen, in software, at one pixel per pixel, whatever the machine has."""

from __future__ import annotations

import os

import pytest

# Before Qt loads, and pytest-qt loads it when it is configured; conftest files come first.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QUICK_BACKEND"] = "software"
os.environ["QT_FONT_DPI"] = "96"
os.environ["QT_SCALE_FACTOR"] = "1"


@pytest.fixture(scope="session")
def qapp_cls() -> type:
    """The kiosk has no widgets: a QGuiApplication is what production runs."""
    from PySide6.QtGui import QGuiApplication  # noqa: PLC0415  # not for tests without a screen

    return QGuiApplication


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test records as `printed` is shown although it passed, also from a worker's process."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "printed":
                terminalreporter.write_line(str(value))
