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
MODULES = {
    "Kiosk.View": ("kiosk/ui/display.py", "kiosk/ui/hand.py", "kiosk/ui/presenters.py", "kiosk/ui/pictograms.py"),
    "Simulators.Panel": ("simulators/panel/bridge.py",),
}
QML = (ROOT / "kiosk" / "ui" / "qml", ROOT / "simulators" / "panel" / "qml")
FOREIGN = ("core", "gui", "qml", "quick")
TOOLS = Path(sys.executable).parent
METATYPES = Path(PySide6.__file__).parent / "Qt" / "metatypes"


def main() -> int:
    """Run the chain; print what qmllint says; return its exit status."""
    with tempfile.TemporaryDirectory() as name:
        for uri, sources in MODULES.items():
            _describe(uri, sources, Path(name))
        files = sorted(str(path) for folder in QML for path in folder.rglob("*.qml"))
        lint = [str(TOOLS / "pyside6-qmllint"), "-W", "0", "-I", name, "-I", str(QML[0]), *files]
        done = subprocess.run(lint, capture_output=True, text=True, check=False)  # own tools, own files
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


def _describe(uri: str, sources: tuple[str, ...], folder: Path) -> None:
    """Write the module description that qmllint looks for."""
    module = folder / uri.replace(".", "/")
    module.mkdir(parents=True)
    dump = folder / f"{uri}.json"
    absolute = [str(ROOT / source) for source in sources]
    _run([str(TOOLS / "pyside6-metaobjectdump"), "--compact", "--quiet", "-o", str(dump), *absolute])
    foreign = ",".join(str(METATYPES / f"qt6{part}_metatypes.json") for part in FOREIGN)
    _run(
        [
            str(TOOLS / "pyside6-qmltyperegistrar"),
            "--generate-qmltypes", str(module / "module.qmltypes"),
            "--import-name", uri, "--major-version", "1",
            "--foreign-types", foreign,
            "-o", str(folder / "unused.cpp"),
            str(dump),
        ]
    )  # fmt: skip
    (module / "qmldir").write_text(
        f"module {uri}\ntypeinfo module.qmltypes\ndepends QtQuick\nimport QtQuick\n", "ascii"
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)  # own tools, own files


if __name__ == "__main__":
    sys.exit(main())
