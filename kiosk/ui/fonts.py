"""The bundled typeface: Atkinson Hyperlegible Next (SIL Open Font License 1.1, text beside the files).

Drawn by the Braille Institute so that letters and digits are hard to confuse; its zero is slashed. Bundled, because a
picture of a page must not depend on what a machine happens to have installed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from PySide6.QtGui import QFontDatabase

FAMILY: Final = "Atkinson Hyperlegible Next"
_FOLDER: Final = Path(__file__).with_name("fonts")
_FILES: Final = tuple(f"AtkinsonHyperlegibleNext-{weight}.ttf" for weight in ("Regular", "SemiBold", "Bold"))


@cache
def load_fonts() -> str:
    """Give Qt the bundled faces (weights 400, 600, 700) and return the family name. Needs a QGuiApplication.

    Raises RuntimeError when a file is missing or damaged: an installation without its typeface is a bug, and a
    substitute face would not be as legible.
    """
    for name in _FILES:
        font_id = QFontDatabase.addApplicationFont(str(_FOLDER / name))
        if font_id < 0 or FAMILY not in QFontDatabase.applicationFontFamilies(font_id):
            raise RuntimeError(f"bundled typeface {name} cannot be loaded")
    return FAMILY
