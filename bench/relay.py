"""An update's commands through the kiosk, the centre's time excluded, against a bare replay on the same connection.

Bare: one thread that sends the recorded commands on the hub's own connection. Relayed: the same commands, a package at
a time, from the relay's thread through the hub and the card's thread, and back. Whole relay: all that the kiosk does
between the arrival of a message and its answer, checks of messages and commands included. Before each round the card
is put back to its first image and its challenges are rewound; each round's answers must be those of the recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from bench.figures import Figure
from bench.recording import Recording, record, relay
from bench.rig import Rig, rig
from bench.rounds import alternate
from kiosk.card.apdu import ApduError, ResponseApdu, parse_command
from kiosk.sync.faults import Answer
from simulators.stage import slots

BAR: Final = 1.15


def figures(reader: str, rounds: int, *, in_memory: bool = False) -> list[Figure]:
    """`reader`: `embedded` or `pcsc`. The card's image is a file, as in the demo, unless `in_memory`.

    A card in memory answers in less time than any real one; there is no bar for it.
    """
    with TemporaryDirectory(prefix="kiosk-bench-") as name, slots(reader) as hands:
        folder = Path(name)
        with rig(hands, None if in_memory else folder / "card.image") as on:
            recording = record(on, hands, folder)
            replay = Replay(on, recording)
            bare_s, relayed_s, whole_s = alternate(rounds, (replay.bare, replay.relayed, replay.whole))
    what = f"{len(recording.commands)} APDUs, {reader} reader" + (", card in memory" if in_memory else "")
    return [
        Figure(f"relayed: {what}", relayed_s * 1000, "ms", bare_s * 1000, None if in_memory else BAR),
        Figure(f"whole relay: {what}", whole_s * 1000, "ms", bare_s * 1000),
    ]


class Replay:
    """The recorded update again, three ways."""

    def __init__(self, on: Rig, recording: Recording) -> None:
        self._on = on
        self._recording = recording
        self._connection = on.connection

    def bare(self) -> float:
        """Seconds of the commands alone, on one thread."""
        commands = self._recording.commands
        answers: list[bytes] = []
        self._on.restore()
        began_s = perf_counter()
        for raw in commands:
            command = parse_command(raw)
            assert not isinstance(command, ApduError)
            answer = self._connection.exchange(command)
            assert isinstance(answer, ResponseApdu)
            answers.append(answer.to_bytes())
        taken_s = perf_counter() - began_s
        self._check(answers)
        return taken_s

    def relayed(self) -> float:
        """Seconds from handing over each package until its answers are back."""
        answers: list[bytes] = []
        self._on.restore()
        began_s = perf_counter()
        for package in self._recording.packages:
            answers += self._on.hub.execute(self._on.session, package).responses
        taken_s = perf_counter() - began_s
        self._check(answers)
        return taken_s

    def whole(self) -> float:
        """Seconds of the update less those spent in asking the centre."""
        centre = _Centre(self._recording)
        self._on.restore()
        began_s = perf_counter()
        relay(self._on, self._recording, centre, self._on.hub)
        taken_s = perf_counter() - began_s - centre.spent_s
        self._check(centre.responses())
        return taken_s

    def _check(self, answers: list[bytes]) -> None:
        if answers != self._recording.responses:
            raise RuntimeError("the card did not answer as recorded")


class _Centre:
    """Says what the centre said; counts the time it is asked, keeps what it is told."""

    def __init__(self, recording: Recording) -> None:
        self._answers = iter(recording.answers)
        self._told: list[list[str]] = []
        self.spent_s = 0.0

    def __call__(
        self, route: str, body: Mapping[str, Any], *, idempotency_key: str | None = None, deadline_s: float = 15.0
    ) -> Answer:
        began_s = perf_counter()
        del route, idempotency_key, deadline_s
        self._told.append(body.get("responses", []))
        answer = next(self._answers)
        self.spent_s += perf_counter() - began_s
        return answer

    def responses(self) -> list[bytes]:
        """The card's answers as the centre got them."""
        return [bytes.fromhex(response) for told in self._told for response in told]
