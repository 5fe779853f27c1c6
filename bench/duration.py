"""What a read and an update would take on a real card, modelled at the speed of its ATR; the kiosk's share of it.

Value and baseline are no two runs of the same thing here: the value is what the kiosk itself needs with a card that
answers at once (embedded reader, card in memory, the centre's time excluded), the baseline is the wire and the EEPROM
of a real card for the very same exchanges.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.figures import Figure
from bench.recording import record
from bench.relay import Replay
from bench.rig import Rig, rig
from bench.rounds import alternate
from kiosk.card.atr import AtrError
from simulators.card.timing import Exchange, Timing, modelled_s
from simulators.stage import slots


def figures(rounds: int) -> list[Figure]:
    """One line for reading the card, one for updating it."""
    with TemporaryDirectory(prefix="kiosk-bench-") as name, slots("embedded") as hands, rig(hands, None) as on:
        replay = Replay(on, record(on, hands, Path(name)))
        timing = Timing.of(on.card.atr)
        if isinstance(timing, AtrError):
            raise TypeError(timing.reason)
        read = on.exchanges(lambda: _read(on))
        update = on.exchanges(replay.whole)
        read_s, update_s = alternate(rounds, (lambda: _read(on), replay.whole))
    return [
        _figure("read", read_s, timing.power_up_s + modelled_s(read, timing), read),
        _figure("update", update_s, modelled_s(update, timing), update),
    ]


def _figure(what: str, kiosk_s: float, card_s: float, exchanges: list[Exchange]) -> Figure:
    sent = sum(exchange.command_bytes for exchange in exchanges)
    received = sum(exchange.answer_bytes for exchange in exchanges)
    name = f"{what}: kiosk / modelled card ({len(exchanges)} TPDUs, {sent} bytes out, {received} in)"
    return Figure(name, kiosk_s * 1000, "ms", card_s * 1000)


def _read(on: Rig) -> float:
    """Seconds of one read through the hub."""
    on.restore()
    began_s = perf_counter()
    content = on.read()
    taken_s = perf_counter() - began_s
    if content != on.content:
        raise RuntimeError("the card was not read as before")
    return taken_s
