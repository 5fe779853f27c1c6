"""Lint the QML with the types of the Python presenters known: metaobjects → qmltypes → qmldir → qmllint.

A misspelt presenter property is then reported by name. Exit status 0 only without a single warning.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import PySide6

ROOT = Path(__file__).resolve().parents[1]
PRESENTERS = ("kiosk/ui/presenters.py", "kiosk/ui/pictograms.py")
QML = ROOT / "kiosk" / "ui" / "qml"
FOREIGN = ("core", "gui", "qml", "quick")


def main() -> int:
    """Run the chain; print what qmllint says; return its exit status."""
    tools, metatypes = Path(sys.executable).parent, Path(PySide6.__file__).parent / "Qt" / "metatypes"
    with tempfile.TemporaryDirectory() as name:
        module = Path(name) / "Kiosk" / "View"
        module.mkdir(parents=True)
        dump = Path(name) / "view.json"
        sources = [str(ROOT / source) for source in PRESENTERS]
        _run([str(tools / "pyside6-metaobjectdump"), "--compact", "--quiet", "-o", str(dump), *sources])
        foreign = ",".join(str(metatypes / f"qt6{part}_metatypes.json") for part in FOREIGN)
        _run(
            [
                str(tools / "pyside6-qmltyperegistrar"),
                "--generate-qmltypes", str(module / "view.qmltypes"),
                "--import-name", "Kiosk.View", "--major-version", "1",
                "--foreign-types", foreign,
                "-o", str(Path(name) / "unused.cpp"),
                str(dump),
            ]
        )  # fmt: skip
        (module / "qmldir").write_text(
            "module Kiosk.View\ntypeinfo view.qmltypes\ndepends QtQuick\nimport QtQuick\n", "ascii"
        )
        files = sorted(str(path) for path in QML.rglob("*.qml"))
        lint = [str(tools / "pyside6-qmllint"), "-W", "0", "-I", name, "-I", str(QML), *files]
        done = subprocess.run(lint, capture_output=True, text=True, check=False)  # own tools, own files
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)  # own tools, own files


if __name__ == "__main__":
    sys.exit(main())
