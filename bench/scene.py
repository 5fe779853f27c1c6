"""A kiosk on the simulators' stage with its screen, watched frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from kiosk.ui.screen import Screen, application
from kiosk.visit.model import State
from simulators.screen import screen_of, wait_until
from simulators.stage import EmbeddedSlots, Stage, stage


class Scene:
    """`states`: the last state published for each page. Times are those of `perf_counter`."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.stage: Stage
        self.hands = EmbeddedSlots()
        self.screen: Screen
        self._awaited = ""
        self._presented_s = 0.0

    def publish(self, state: State) -> None:
        """What the kiosk shows; safe from any thread."""
        self.states[state.step.page] = state
        self.screen.show(state)

    def is_in_service(self) -> bool:
        """Whether the kiosk has heard of its service and its printer."""
        world = self.states["attract"].world
        return world.service_up is True and world.printer.usable

    def presented(self, page: str, cause: Callable[[], object]) -> float:
        """Seconds from `cause` until a frame with this page has been handed to the display."""
        self._awaited, self._presented_s = page, 0.0
        began_s = perf_counter()
        cause()
        wait_until(lambda: self._presented_s > 0, f"a frame of page {page}")
        return self._presented_s - began_s

    def on_frame(self) -> None:
        """A frame was presented."""
        if self._presented_s == 0 and self.screen.page == self._awaited:
            self._presented_s = perf_counter()


@contextmanager
def scene() -> Iterator[Scene]:
    """A running, enrolled kiosk with the attract page presented, which has nothing more to say by itself."""
    made = Scene()
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as work:
        application()
        with stage(Path(work), made.hands, made.publish) as on_stage:
            made.stage = on_stage
            made.screen = screen_of(on_stage.settings, on_stage.kiosk.post, still=True)
            made.screen.window.frameSwapped.connect(made.on_frame)
            made.presented("attract", on_stage.kiosk.start)
            wait_until(made.is_in_service, "everything in service")
            yield made
        made.screen.close()
