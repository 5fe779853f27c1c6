"""One card update as a state: which package comes next, what the card's answers mean. Pure; kept as JSON between steps.

Packages (domain reference §4.6, with SCP03 in place of the model's secure messaging): look and challenge, authenticate,
write with the flag open, close the flag. Whole files only; a conversation that dies is never resumed: the next one
rewrites.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from kiosk.card import layout
from kiosk.visit.values import Outcome
from simulators.backend import simfiles
from simulators.backend.simfiles import Content
from simulators.card.content import organisation_file, rights_file, state_file
from simulators.card.keys import KeySet
from simulators.card.scp03 import Answer, HostSession, Scp03Error

SW_OK: Final = 0x9000
SW_SESSION_LOST: Final = frozenset({0x6982, 0x6985, 0x6987, 0x6988})
"""The card asks to be authenticated again; a new session in the same conversation repairs it."""
MAX_SESSIONS: Final = 2
_MAY_HAVE_RUN: Final = b"\x90\x00"
MAX_WAIT_MS: Final = 10_000
INS_UPDATE_BINARY: Final = 0xD6

SELECT_VITALE: Final = bytes([0x00, 0xA4, 0x04, 0x0C, len(layout.AID_VITALE)]) + layout.AID_VITALE
READ_FLAG: Final = bytes([0x00, 0xB0, 0x80 | layout.SIM_STATE[2], 0x00, layout.STATE_FLAG_OFFSET + 1])


class Phase(StrEnum):
    """What the package last sent was for."""

    CHALLENGE = "challenge"
    AUTHENTICATE = "authenticate"
    WRITE = "write"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Package:
    """Commands to run in order; each must answer 9000. `last_if_ok`: nothing follows when all do."""

    apdus: tuple[bytes, ...] = field(repr=False)
    last_if_ok: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """The end. `detail`: outcome number 1–6; `code`: why, a name of the error table, or None."""

    outcome: Outcome
    detail: int
    code: str | None = None


DONE: Final = Close(Outcome.UPDATED, 1)


@dataclass(slots=True)
class Conversation:
    """The state of one update. `wrote`: a command that changes the card may have run. `rewrite_all`: the card's
    own flag says that an earlier update did not end."""

    before: Content = field(repr=False)
    after: Content = field(repr=False)
    today: dt.date
    session: HostSession = field(repr=False)
    rewrite_all: bool = False
    phase: Phase = Phase.CHALLENGE
    sessions: int = 1
    wrote: bool = False
    sent: int = 0

    def first(self) -> Package:
        """Select the application, look at the flag, ask for the card's cryptogram."""
        return self._give(Phase.CHALLENGE, (SELECT_VITALE, READ_FLAG, self.session.initialize_update()))

    def abort(self, responses: Sequence[bytes], command_sent: bool) -> Close:
        """Contact with the card was lost after these answers; `command_sent`: one more command may have run."""
        self._note_written(responses)
        if command_sent and len(responses) < self.sent:
            self._note_written((_MAY_HAVE_RUN,))
        return Close(Outcome.ABORTED, 3)

    def next(self, responses: Sequence[bytes]) -> Package | Close:
        """Judge the answers to the last package (each with its status word) and go on."""
        self._note_written(responses)
        if not responses or len(responses) > self.sent:
            return self._failed("BAD_MESSAGE")
        statuses = [int.from_bytes(response[-2:], "big") for response in responses]
        wrong = next((sw for sw in statuses if sw != SW_OK), None)
        if wrong is not None:
            return self._repair(wrong)
        if len(responses) < self.sent:
            return self._failed("BAD_MESSAGE")
        match self.phase:
            case Phase.CHALLENGE:
                return self._authenticate(responses[1], responses[2])
            case Phase.AUTHENTICATE:
                return self._give(Phase.WRITE, self._write())
            case Phase.WRITE:
                if problem := self._unprotect(responses):
                    return problem
                finish = self.session.wrap(INS_UPDATE_BINARY, *simfiles.write_flag(simfiles.FLAG_CLOSED))
                return self._give(Phase.FINISH, (finish,), last_if_ok=True)
            case Phase.FINISH:
                return self._unprotect(responses) or DONE

    def _authenticate(self, state: bytes, initialize_answer: bytes) -> Package | Close:
        flag = state[layout.STATE_FLAG_OFFSET : layout.STATE_FLAG_OFFSET + 1]
        if len(state) != layout.STATE_FLAG_OFFSET + 3 or flag not in (simfiles.FLAG_OPEN, simfiles.FLAG_CLOSED):
            return self._failed("READ_FAILED")
        self.rewrite_all = self.rewrite_all or flag == simfiles.FLAG_OPEN
        command = self.session.external_authenticate(initialize_answer[:-2])
        if isinstance(command, Scp03Error):
            return self._failed("CARD_AUTH_FAILED")
        return self._give(Phase.AUTHENTICATE, (command,))

    def _write(self) -> tuple[bytes, ...]:
        """Flag open, then the files that change (all after an interruption), the state with its date last."""
        writes = [simfiles.write_flag(simfiles.FLAG_OPEN)]
        if self.rewrite_all or self.before.organisation != self.after.organisation:
            file = organisation_file(self.after.organisation)
            writes += simfiles.write_whole(layout.SIM_ORGANISATION[2], file)
        if self.rewrite_all or self.before.rights != self.after.rights:
            writes += simfiles.write_whole(layout.SIM_RIGHTS[2], rights_file(self.after.rights))
        writes += simfiles.write_whole(layout.SIM_STATE[2], state_file(unfinished=True, last_update=self.today))
        return tuple(self.session.wrap(INS_UPDATE_BINARY, *write) for write in writes)

    def _unprotect(self, responses: Sequence[bytes]) -> Close | None:
        for response in responses:
            plain = self.session.unwrap(response)
            if not isinstance(plain, Answer) or plain.sw != SW_OK:
                return self._failed("CARD_AUTH_FAILED")
        return None

    def _repair(self, sw: int) -> Package | Close:
        if sw not in SW_SESSION_LOST or self.sessions >= MAX_SESSIONS or self.phase is Phase.CHALLENGE:
            return self._failed("CARD_DEFECTIVE")
        self.sessions += 1
        self.rewrite_all = self.rewrite_all or self.wrote
        self.session = HostSession(self.session.keys)
        return self.first()

    def _failed(self, code: str) -> Close:
        return Close(Outcome.ABORTED if self.wrote else Outcome.IMPOSSIBLE, 3, code)

    def _note_written(self, responses: Sequence[bytes]) -> None:
        """An error but a memory failure (65xx) comes before anything is written."""
        if self.phase in (Phase.WRITE, Phase.FINISH):
            self.wrote = self.wrote or any(response[-2:-1] in (b"\x90", b"\x65") for response in responses)

    def _give(self, phase: Phase, apdus: tuple[bytes, ...], *, last_if_ok: bool = False) -> Package:
        self.phase, self.sent = phase, len(apdus)
        return Package(apdus, last_if_ok)

    def to_json(self) -> str:
        """Everything but the card's keys."""
        return json.dumps(
            {
                "before": self.before.to_json(),
                "after": self.after.to_json(),
                "today": self.today.isoformat(),
                "rewrite_all": self.rewrite_all,
                "session": self.session.to_json(),
                "phase": self.phase,
                "sessions": self.sessions,
                "wrote": self.wrote,
                "sent": self.sent,
            }
        )

    @classmethod
    def from_json(cls, state: str, keys: KeySet) -> Self:
        """The conversation again, with the card's keys."""
        values = json.loads(state)
        return cls(
            Content.from_json(values["before"]),
            Content.from_json(values["after"]),
            dt.date.fromisoformat(values["today"]),
            HostSession.from_json(values["session"], keys),
            values["rewrite_all"],
            Phase(values["phase"]),
            values["sessions"],
            values["wrote"],
            values["sent"],
        )
