"""A fault plan on the demo's stage: the first card put into the patient's slot follows it, on either reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kiosk.hardware.pcsc.api import Scard
from kiosk.visit.ports import ReaderRole
from simulators.card import MUTE_ATR, SimulatedCard
from simulators.card.plan_file import FaultPlanError, Plan, load_plan
from simulators.reader.hands import EmbeddedHands, Hands, PcscdHands
from simulators.reader.plan import Stagehand, unstageable
from simulators.stage import ROLES, Slots

CAN: Final = {"embedded": EmbeddedHands.can, "pcsc": PcscdHands.can}
"""What each reader of the demo can stage, by its name."""


def stageable_plan(path: Path, reader: str) -> Plan | FaultPlanError:
    """The plan in a file, if this reader can stage all of it."""
    plan = load_plan(path)
    if isinstance(plan, FaultPlanError):
        return plan
    return unstageable(plan, CAN[reader], path.name) or plan


class PlannedSlots:
    """Slots (see `Slots`) at which somebody follows a plan with the first card of the patient's side.

    A card that is turned over has no APDU to count: the plan waits for the next one. `problem`: what could not be
    staged; empty when all could.
    """

    def __init__(self, slots: Slots, plan: Plan) -> None:
        self.kind: str = slots.kind
        self.scard: Scard = slots.scard
        self.names: tuple[str, str] = slots.names
        self.hands: Hands = slots.hands
        self.plan = plan
        self.problem = ""
        self._slots = slots
        self._card: SimulatedCard | None = None
        self._stagehand: Stagehand | None = None

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        """See `Slots`."""
        if role is not ReaderRole.PATIENT or self._card is not None or card.atr == MUTE_ATR:
            self._slots.insert(role, card)
            return
        self._card = card
        self._stagehand = Stagehand(self.hands, ROLES.index(role))
        self._stagehand.insert(card, self.plan)

    def remove(self, role: ReaderRole) -> None:
        """See `Slots`. What the plan has taken away is back before this ends, but for the card."""
        if role is not ReaderRole.PATIENT or self._stagehand is None:
            self._slots.remove(role)
            return
        stagehand, self._stagehand = self._stagehand, None
        stagehand.take()
        try:
            stagehand.close()
        except (RuntimeError, LookupError, ValueError, OSError) as problem:  # those that its thread keeps
            self.problem = str(problem)

    def told(self) -> dict[str, Any]:
        """For a summary: each entry of the plan by its place in the file, and how often its moment has come."""
        paths = [f"$.faults[{index}]" for index in range(len(self.plan.faults))]
        paths += [f"$.reader[{index}]" for index in range(len(self.plan.reader))]
        planned = (*self.plan.faults, *self.plan.reader)
        due = (0,) * len(planned) if self._card is None else self._card.times_due
        return {
            "seed": self.plan.seed,
            "faults": [
                {"path": path, "kind": fault.kind.value, "due": times}
                for path, fault, times in zip(paths, planned, due, strict=True)
            ],
            "problem": self.problem,
        }
