"""How long a real card would take: bytes at the speed of its ATR, page writes of its EEPROM (ISO/IEC 7816-3).

Modelled: every character both ways with its guard time, the procedure bytes of T=0, blocks and chaining of T=1, the
pauses at each change of direction, 3 ms for each EEPROM page. Not modelled: the chip's own computing, the reader's and
the host's time. The reader is taken to negotiate the speed that the ATR offers (PPS); the ATR itself and the
negotiation run at the default speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kiosk.card.atr import Atr, AtrError, parse_atr

CLOCK_HZ: Final = 3_570_000
PAGE_WRITE_S: Final = 0.003

_FI: Final = {0: 372, 1: 372, 2: 558, 3: 744, 4: 1116, 5: 1488, 6: 1860, 9: 512, 10: 768, 11: 1024, 12: 1536, 13: 2048}
_DI: Final = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
_DEFAULT_ETU_S: Final = 372 / CLOCK_HZ
_CHARACTER_ETU: Final = 12  # start, 8 data, parity, 2 of guard time
_SHORTEST_CHARACTER_ETU: Final = {0: 12, 1: 11}  # by protocol: what TC1 = FF asks for
_TURN_ETU: Final = {0: 16, 1: 22}  # by protocol: between characters of opposite directions
_NO_EXTRA_GUARD_TIME: Final = 0xFF
_PPS_BYTES: Final = 4  # FF, protocol, TA1, check; the card says the same
_DEFAULT_IFSC_BYTES: Final = 32
_IFSD_BYTES: Final = 254
_BLOCK_FRAME_BYTES: Final = 4  # NAD, PCB, LEN, LRC
_HEADER_BYTES: Final = 5  # T=0 sends P3 with every command
_SW_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, as passed to the reader: lengths in bytes (status word included), pages written."""

    command_bytes: int
    answer_bytes: int
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """What an ATR says about speed. Characters of reader and card, and a change of direction, in etu."""

    protocol: int
    etu_s: float
    reader_character_etu: int
    card_character_etu: int
    ifsc_bytes: int
    atr_bytes: int
    negotiated: bool

    @classmethod
    def of(cls, atr: bytes) -> Timing | AtrError:
        """Fi and Di from TA1, guard time from TC1, block length from the first TA for T=1; defaults where absent."""
        answer = parse_atr(atr)
        if isinstance(answer, AtrError):
            return answer
        interface = dict(answer.interface)
        protocol = answer.protocols[0]
        speed = interface.get("TA1", 0x11)
        extra = interface.get("TC1", 0)
        shortest = _SHORTEST_CHARACTER_ETU.get(protocol, _CHARACTER_ETU)
        known = speed >> 4 in _FI and speed & 0x0F in _DI
        etu_s = _FI[speed >> 4] / _DI[speed & 0x0F] / CLOCK_HZ if known else _DEFAULT_ETU_S
        return cls(
            protocol=protocol,
            etu_s=etu_s,
            reader_character_etu=shortest if extra == _NO_EXTRA_GUARD_TIME else _CHARACTER_ETU + extra,
            card_character_etu=shortest if extra == _NO_EXTRA_GUARD_TIME else _CHARACTER_ETU,
            ifsc_bytes=_ifsc(answer),
            atr_bytes=len(atr),
            negotiated=etu_s != _DEFAULT_ETU_S and "TA2" not in interface,
        )

    @property
    def power_up_s(self) -> float:
        """The ATR and, where it offers another speed than the default, its negotiation."""
        characters = self.atr_bytes + (2 * _PPS_BYTES if self.negotiated else 0)
        return characters * _CHARACTER_ETU * _DEFAULT_ETU_S

    def exchange_s(self, exchange: Exchange) -> float:
        """Seconds on the wire and in the EEPROM."""
        sent, received, turns = self._t1(exchange) if self.protocol == 1 else _t0(exchange)
        pause_etu = _TURN_ETU.get(self.protocol, _TURN_ETU[0]) - _CHARACTER_ETU
        etu = sent * self.reader_character_etu + received * self.card_character_etu + turns * pause_etu
        return etu * self.etu_s + exchange.pages * PAGE_WRITE_S

    def _t1(self, exchange: Exchange) -> tuple[int, int, int]:
        """Blocks, each but the last of a chain acknowledged by the other side."""
        sent_blocks = max(1, -(-exchange.command_bytes // self.ifsc_bytes))
        got_blocks = max(1, -(-exchange.answer_bytes // _IFSD_BYTES))
        sent = exchange.command_bytes + (sent_blocks + got_blocks - 1) * _BLOCK_FRAME_BYTES
        received = exchange.answer_bytes + (got_blocks + sent_blocks - 1) * _BLOCK_FRAME_BYTES
        return sent, received, 2 * (sent_blocks + got_blocks - 1)


def modelled_s(trace: Iterable[Exchange], timing: Timing) -> float:
    """Seconds that these exchanges take on a card with this ATR, power-up not included."""
    return sum((timing.exchange_s(exchange) for exchange in trace), 0.0)


def _t0(exchange: Exchange) -> tuple[int, int, int]:
    """Characters of the reader, of the card, and changes of direction, the next command's included."""
    data_out = max(0, exchange.command_bytes - _HEADER_BYTES)
    data_in = max(0, exchange.answer_bytes - _SW_BYTES)
    procedure_bytes = 1 if data_out or data_in else 0  # INS back: go on with all the data
    turns = 4 if data_out else 2
    return _HEADER_BYTES + data_out, procedure_bytes + data_in + _SW_BYTES, turns


def _ifsc(answer: Atr) -> int:
    """The first TA after T=1 was named in the third group or later (§11.4.2)."""
    interface = dict(answer.interface)
    for group in range(3, 8):
        named = interface.get(f"TD{group - 1}")
        if named is not None and named & 0x0F == 1 and f"TA{group}" in interface:
            return interface[f"TA{group}"] or _DEFAULT_IFSC_BYTES
    return _DEFAULT_IFSC_BYTES
