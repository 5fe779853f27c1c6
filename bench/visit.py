"""One member's whole visit on the stage, driven through the real screen, as the demo does it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kiosk.ui.screen import Screen, application
from kiosk.visit.model import Result, State, TicketPage
from simulators.album import Album
from simulators.card import SimulatedCard, open_card
from simulators.personas import load
from simulators.screen import Finger
from simulators.stage import slots, stage
from simulators.walk import Member

PERSONA: Final = "outdated"


@contextmanager
def one_visit() -> Iterator[None]:
    """After the visit, the kiosk still running. Raises RuntimeError when a step of the visit failed."""
    persona = load(PERSONA)
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as work, slots("embedded") as hands:
        folder = Path(work)
        application()
        album = Album(folder)
        with stage(folder, hands, album.publish) as on_stage:
            size = on_stage.settings.screen
            screen = Screen(
                on_stage.kiosk.post,
                diagonal_in=size.diagonal_in,
                width_px=size.width_px,
                height_px=size.height_px,
                viewing_mm=size.viewing_mm,
                still=True,
            )
            album.attach(screen)
            card = open_card(persona, folder / "card.image")
            assert isinstance(card, SimulatedCard)
            member = Member(on_stage, album, Finger(screen), persona, card)

            def watch(state: State) -> None:
                if isinstance(state.step, Result):
                    member.walk.outcome = state.step.outcome.value
                if isinstance(state.step, TicketPage):
                    member.noted(state.step.state)

            album.watch = watch
            on_stage.kiosk.start()
            walk = member.visit()
            failed = [step.name for step in walk.steps if not step.ok]
            if failed:
                raise RuntimeError(f"{', '.join(failed)}: {member.problem}")
            yield
        screen.close()
