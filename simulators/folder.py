"""The demo's folder: which files in it are the demo's own. Nothing else in it is ever touched."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final, get_args

from kiosk.visit.pages import Step

APDU_LOG: Final = "apdu.log"
SUMMARY: Final = "summary.json"
TICKET: Final = "ticket.png"
_PAGES: Final = "|".join(sorted(kind.page for kind in get_args(Step)))
_PICTURE: Final = re.compile(rf"[0-9]{{2,}}-(?:{_PAGES})\.png")


def prepared(out: Path) -> str | None:
    """Make the folder, and take out what an earlier demo left in it. Returns why that cannot be done, or None."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in out.iterdir():
            if path.name in (APDU_LOG, SUMMARY, TICKET) or _PICTURE.fullmatch(path.name):
                path.unlink()
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        return f"{out}: {error.strerror or 'cannot be written'}"
    return None
