"""Draw every page with fictional states: `python -m simulators.gallery OUT_DIR [SCREEN] [THEME] [SCALE]`.

For eyes: one PNG a page, in the order of a visit. SCREEN is a key of `SCREENS`. `OUT_DIR failures` draws each cause of
the failure catalogue instead, on every screen, in every theme, with normal and with large text.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kiosk.ui.screen import Screen, application
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.page_kinds import PreviewPart
from kiosk.visit.pages import Home, Preview, Problem, Result, SerialNumber, TicketPage
from kiosk.visit.ports import PrinterHealth, PrintState
from kiosk.visit.values import CardStanding, Outcome, PreviewEffect, PreviewLine, UpdateOrder
from simulators import samples
from simulators.document_states import document_pages
from simulators.failure_states import failure_pages, failure_states
from simulators.screen import wait_until

NOW: Final = datetime(2026, 9, 21, 14, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Panel:
    """A screen somebody might install."""

    width_px: int
    height_px: int
    diagonal_in: float


SCREENS: Final[Mapping[str, Panel]] = {
    "portrait-21": Panel(1080, 1920, 21.5),
    "portrait-15": Panel(768, 1366, 15.6),
    "landscape-15": Panel(1024, 768, 15.0),
}

THEMES: Final = ("clair", "jaune", "blanc")
SCALES: Final = (1.0, 1.5)

_LINES: Final = (
    PreviewLine("Caisse", "ancienne caisse fictive", "caisse fictive 999", PreviewEffect.NEUTRAL),
    samples.GAIN,
    PreviewLine("Droits de Alix jusqu'au", "31 décembre 2024", "31 décembre 2026", PreviewEffect.GAIN),
    samples.SENSITIVE,
)
_ORDER: Final = UpdateOrder("0a03", mandatory=True, description="Nouveaux droits", preview=_LINES)
_NO_TICKET: Final = TicketPage(samples.TICKET, PrintState.FAILED, Fault(Cause.PRINTER_PAPER))
_MEMBER: Final = replace(samples.MEMBER, standing=CardStanding(orders=(_ORDER,)), agreed=("0a03",))


def states() -> tuple[State, ...]:
    """Every sample page, and the faces of a page that the samples do not show."""
    down = replace(
        samples.WORLD,
        service_up=False,
        service_fault=Fault(Cause.NETWORK),
        service_down_since_utc_s=int(NOW.timestamp()) - 3600,
        printer=PrinterHealth.PAPER_OUT,
    )
    loose = replace(samples.WORLD, loose_ticket_until_s=600.0)
    updated = replace(_MEMBER, outcome=Outcome.UPDATED, level=1)
    torn = replace(samples.MEMBER, card=replace(samples.CARD, unfinished=True))
    short = replace(samples.MEMBER, card=replace(samples.CARD, iccsn=samples.CARD.iccsn[:20]), level=1)
    many = replace(_MEMBER, standing=CardStanding(orders=(replace(_ORDER, preview=_LINES * 5),)))
    samples_of_attract = [state for state in samples.every_page() if state.step.page == "attract"]
    return (
        *samples.every_page(),
        replace(samples_of_attract[0], world=down),
        replace(samples_of_attract[0], world=loose),
        replace(samples.state(Home(), member=_MEMBER, card=True), world=loose),
        replace(samples.state(_NO_TICKET, member=samples.MEMBER, card=True), world=down),
        samples.state(Preview(PreviewPart.CHANGES), member=_MEMBER, card=True),
        samples.state(Preview(PreviewPart.CHANGES), member=many, card=True),
        samples.state(Result(Outcome.UPDATED), member=updated, card=True),
        samples.state(Result(Outcome.UPDATED), member=replace(updated, level=0), card=True),
        samples.state(Result(Outcome.ABORTED, Fault(Cause.UNEXPECTED_STATUS)), member=_MEMBER, card=True),
        samples.state(Result(Outcome.IMPOSSIBLE, Fault(Cause.APDU_REFUSED)), member=_MEMBER, card=True),
        samples.state(Result(Outcome.UNCERTAIN, Fault(Cause.NETWORK)), member=_MEMBER, card=True),
        samples.state(Home(), member=updated, card=True),
        samples.state(Home(), member=torn, card=True),
        samples.state(Home(), member=replace(samples.MEMBER, outcome=Outcome.DECLINED), card=True),
        replace(samples.state(Home(), member=replace(samples.MEMBER, standing=None), card=True), world=down),
        samples.state(SerialNumber(), member=short, card=True),
        samples.state(SerialNumber(masked=True), member=replace(short, card=samples.CARD), card=True),
        samples.state(Problem(Fault(Cause.NOT_ELIGIBLE, "two_ribs"), CardSafety.UPDATED), member=updated),
        *failure_pages(),
        *document_pages(),
    )


def draw(screen: Screen, state: State, path: Path) -> None:
    """Show this state and write its picture."""
    before = screen.shown
    screen.show(state)
    wait_until(lambda: screen.shown > before, f"page {state.step.page}")
    screen.grab(path)


def main(arguments: list[str]) -> int:
    """Draw everything into a folder."""
    out = Path(arguments[0])
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application()
    if arguments[1:] == ["failures"]:
        for (name, panel), theme, scale in itertools.product(SCREENS.items(), THEMES, SCALES):
            named = {cause.value: state for cause, state in failure_states().items()}
            draw_all(out / f"{name}-{theme}-{scale}", panel, theme, scale, named)
        return 0
    panel = SCREENS[arguments[1] if len(arguments) > 1 else "portrait-21"]
    theme = arguments[2] if len(arguments) > 2 else "clair"
    scale = float(arguments[3]) if len(arguments) > 3 else 1.0
    numbered = {f"{number:02d}-{state.step.page}": state for number, state in enumerate(states())}
    draw_all(out, panel, theme, scale, numbered)
    return 0


def draw_all(out: Path, panel: Panel, theme: str, scale: float, named: Mapping[str, State]) -> None:
    """Write one picture a state, on one screen."""
    out.mkdir(parents=True, exist_ok=True)
    screen = Screen(
        lambda event: None,
        diagonal_in=panel.diagonal_in,
        width_px=panel.width_px,
        height_px=panel.height_px,
        still=True,
        now=lambda: NOW,
    )
    screen.prefer(theme=theme, text_scale=scale)
    for name, state in named.items():
        draw(screen, state, out / f"{name}.png")
    screen.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
