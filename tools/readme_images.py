"""Make the pictures of the README from the output of a demo run: `python -m tools.readme_images [out/demo]`.

The kiosk's pages and the ticket come from the run itself; the panel is opened for its portrait, with a card in the slot
and a ticket printed. Each picture is 540 px wide (the panel 920), in few colours, so that the repository stays small.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[1]
IMAGES: Final = ROOT / "docs" / "images"
PAGES: Final = ("attract", "home", "preview", "updating", "serial", "code")
WIDTH_PX: Final = 540
COLOURS: Final = 128
LIMIT_BYTES: Final = 600_000


def main(arguments: list[str]) -> int:
    """Write every picture; 1 when one is missing or all together are too large."""
    run = Path(arguments[0]) if arguments else ROOT / "out" / "demo"
    IMAGES.mkdir(parents=True, exist_ok=True)
    for page in PAGES:  # the first of each; of the attract page the last, when the kiosk knows all its services
        found = sorted(run.glob(f"[0-9]*-{page}.png"))
        if not found:
            print(f"readme_images: {run} has no page {page}: run `make demo HEADLESS=1` first", file=sys.stderr)
            return 1
        _shrink(found[-1 if page == "attract" else 0], IMAGES / f"{page}.png")
    _shrink(run / "ticket.png", IMAGES / "ticket.png", colours=8)
    with tempfile.TemporaryDirectory(prefix="readme-") as work:
        _portray_panel(Path(work))
        _shrink(Path(work) / "panel.png", IMAGES / "panel.png", width_px=920)
    total_bytes = sum(path.stat().st_size for path in IMAGES.glob("*.png"))
    print(f"{total_bytes} bytes in {IMAGES.relative_to(ROOT)}")
    return 0 if total_bytes <= LIMIT_BYTES else 1


def _shrink(source: Path, target: Path, *, width_px: int = WIDTH_PX, colours: int = COLOURS) -> None:
    with Image.open(source) as picture:
        height_px = round(picture.height * width_px / picture.width)
        small = picture.convert("RGB").resize((width_px, height_px), Image.Resampling.LANCZOS)
    few = small.quantize(colours, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


def _portray_panel(work: Path) -> None:
    os.environ.update(QT_QPA_PLATFORM="offscreen", QT_QUICK_BACKEND="software")  # before Qt loads
    from kiosk.ui.screen import application  # noqa: PLC0415
    from kiosk.ui.ticket import draw_ticket  # noqa: PLC0415
    from kiosk.visit.ports import ReaderRole, VisitId  # noqa: PLC0415
    from simulators import samples  # noqa: PLC0415
    from simulators.panel import Panel  # noqa: PLC0415
    from simulators.personas import load  # noqa: PLC0415
    from simulators.screen import wait_until  # noqa: PLC0415
    from simulators.stage import EmbeddedSlots, stage  # noqa: PLC0415

    application()
    with stage(work, EmbeddedSlots(), lambda _state: None) as on_stage:
        panel = Panel(on_stage, load("outdated"))
        on_stage.kiosk.start()
        panel.hands.insert(ReaderRole.PATIENT)
        panel.hands.choose("losing-rights")
        if on_stage.kiosk.printer is not None:
            on_stage.kiosk.printer.print(VisitId(0), draw_ticket(samples.TICKET, 576))
        wait_until(lambda: panel.scene.tickets == 1 and not panel.scene.busy, "card and ticket in the panel")
        panel.grab(work / "panel.png")
        panel.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
