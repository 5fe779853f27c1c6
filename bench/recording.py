"""One real update, recorded: what the centre sent, which commands that made, what the card answered to each.

The card's challenges are seeded, so the card put back to its first image answers the same commands byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.rig import Rig
from kiosk.clock import SystemClock
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import IDENTITY
from kiosk.sync.centre import ask_standing
from kiosk.sync.client import Channel
from kiosk.sync.faults import Answer, Call
from kiosk.sync.identity import IdentityError, load_identity
from kiosk.sync.relay import run_update
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit.failures import Fault
from kiosk.visit.policy import SiteKind
from kiosk.visit.ports import CardAnswers, CardLink, CardSession, CardStep
from kiosk.visit.values import Outcome, UpdateReport
from simulators.backend import running
from simulators.stage import Slots, enrol


@dataclass(slots=True)
class Recording:
    """`answers`: the centre's, in order. `packages`: the lists of commands; `responses`: the card's to all of them."""

    now_s: int
    update_ids: tuple[str, ...]
    answers: list[Answer] = field(default_factory=list, repr=False)
    packages: list[tuple[CardStep, ...]] = field(default_factory=list, repr=False)
    responses: list[bytes] = field(default_factory=list, repr=False)

    @property
    def commands(self) -> list[bytes]:
        """All commands, in order."""
        return [step.command for package in self.packages for step in package]


@dataclass(frozen=True, slots=True)
class _NotedLink:
    """The hub, noting what passes."""

    hub: CardLink
    into: Recording

    def execute(self, card_session: CardSession, steps: Sequence[CardStep]) -> CardAnswers:
        answers = self.hub.execute(card_session, steps)
        self.into.packages.append(tuple(steps))
        self.into.responses.extend(answers.responses)
        return answers


def relay(on: Rig, recording: Recording, call: Call, link: CardLink) -> UpdateReport:
    """The product's relay on the rig's card. Raises RuntimeError unless the card is updated."""
    report = run_update(
        call=call,
        link=link,
        card_session=on.session,
        card=on.content,
        update_ids=recording.update_ids,
        on_phase=lambda _phase: None,
        now_s=lambda: recording.now_s,
    )
    if report.outcome is not Outcome.UPDATED:
        raise RuntimeError(f"the update ended as {report}")
    return report


def record(on: Rig, hands: Slots, folder: Path) -> Recording:
    """Update the rig's card once by a real centre, in a process of its own, over the signed channel."""
    settings = Settings(kiosk=KioskSettings(folder / "kiosk", serial="K-0999"), readers=ReaderSettings(*hands.names))
    with running(folder / "backend") as backend:
        enrol(settings, backend, folder / "ticket", SiteKind.AGENCY)
        identity = load_identity(settings.kiosk.state_dir / IDENTITY)
        if isinstance(identity, IdentityError):
            raise TypeError(str(identity))
        clock = SystemClock()
        time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
        channel = Channel(identity, time, clock)
        standing = ask_standing(channel.call, on.content)
        if isinstance(standing, Fault):
            raise TypeError(str(standing))
        recording = Recording(time.now_s(), tuple(order.update_id for order in standing.orders if order.mandatory))

        def call(route: str, body: Any, *, idempotency_key: str | None = None, deadline_s: float = 15.0) -> Answer:
            answer = channel.call(route, body, idempotency_key=idempotency_key, deadline_s=deadline_s)
            recording.answers.append(answer)
            return answer

        on.restore()
        relay(on, recording, call, _NotedLink(on.hub, recording))
        channel.close()
    return recording
