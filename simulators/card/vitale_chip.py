"""The chip of a simulated Vitale 2: selection, secure session, and the order in which a command is checked.

Order of checks (hardware reference §3.1; class byte and channel come before, in `card`):

===================  =======================================================================================
check                status words
===================  =======================================================================================
instruction          6D00
secure messaging     6882 not for this command; 6987 missing; 6700 lengths; 6985 no session; 6884 no chaining;
                     6883 another chain began; 6982 wrong, and the session is over
parameters           6A86
lengths              6700
security status      6982, 6985 (in `commands`)
data, files          6986, 6A82, 6A84, 6A88, 6B00 (in `commands`)
===================  =======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kiosk.card import layout
from kiosk.card.apdu import EXTENDED_NE_MAX, SHORT_LC_MAX, SHORT_NE_MAX, CommandApdu
from simulators.card.challenges import Challenges
from simulators.card.chip import SW_OK, RefusedError, Reply
from simulators.card.class_byte import ClassByte, SecureMessaging
from simulators.card.files import Df, Ef, FileSystem
from simulators.card.image import Image
from simulators.card.keys import KeySet
from simulators.card.secure_channel import CardChannel, Handshake
from simulators.card.stored_keys import StoredKeys

MAX_CHAINED_BYTES: Final = 4096
SM_BIT: Final = 0x04


@dataclass(frozen=True, slots=True)
class Instruction:
    """One command: the classes it takes without and with secure messaging, its checks, its action."""

    plain: frozenset[int]
    protected: frozenset[int]
    parameters: Callable[[int, int], bool]
    lengths: Callable[[CommandApdu], bool]
    run: Callable[[VitaleChip, CommandApdu, bool], Reply]  # chip, plain command, was it protected
    opens_session: bool = False  # checks its own MAC


@dataclass(frozen=True, slots=True)
class _Chain:
    """Parts of a protected command received so far; `key`: base class, INS, P1, P2."""

    key: tuple[int, bytes]
    data: bytes = field(repr=False)
    extended: bool


class VitaleChip:
    """A simulated Vitale 2 as one logical channel sees it: with its own selection and secure session."""

    def __init__(
        self,
        files: FileSystem,
        image: Image,
        *,
        serial: str,
        keys: StoredKeys,
        challenges: Challenges,
        instructions: Mapping[int, Instruction],
        block_protocol: bool = False,
    ) -> None:
        """`serial`: 21 digits; `instructions`: what the chip can do, by INS; `block_protocol`: it speaks T=1."""
        self.files = files
        self.image = image
        self.serial = serial.encode("ascii")
        self.stored_keys = keys
        self.challenges = challenges
        self.block_protocol = block_protocol
        self._instructions = instructions
        self.current_df: Df = files.mf
        self.current_ef: Ef | None = None
        self.channel: CardChannel | None = None
        self.handshake: Handshake | None = None
        self._chain: _Chain | None = None

    def reset(self) -> None:
        """MF selected; session, handshake and chain forgotten."""
        self.current_df, self.current_ef = self.files.mf, None
        self.end_session()
        self.abandon_chain()

    def abandon_chain(self) -> None:
        """Another command came in between."""
        self._chain = None

    def select(self, file: Ef | Df) -> None:
        """Make a file current. A DF ends the secure session: it belongs to the application."""
        if isinstance(file, Ef):
            self.current_df = next(df for df in self.files.dfs() if file in df.children)
            self.current_ef = file
        else:
            self.current_df, self.current_ef = file, None
            self.end_session()

    def begin_session(self, handshake: Handshake) -> None:
        """INITIALIZE UPDATE: the old session is over, the new one not yet open."""
        self.channel, self.handshake = None, handshake

    def end_session(self) -> None:
        """Neither session nor handshake."""
        self.channel = None
        self.handshake = None

    @property
    def keys(self) -> KeySet:
        """What the next session is opened with."""
        return self.stored_keys.get()

    @property
    def in_vitale(self) -> bool:
        """Application VITALE selected."""
        return self.current_df.aid == layout.AID_VITALE

    def execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """One command in the order of checks above."""
        try:
            return self._execute(cla, header, command)
        except RefusedError as refusal:
            return Reply(refusal.sw)

    def _execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        chain, self._chain = self._chain, None
        instruction = self._instructions.get(header[1])
        if instruction is None or cla.base not in instruction.plain | instruction.protected:
            raise RefusedError(0x6D00)
        protected = cla.secure_messaging is SecureMessaging.PROPRIETARY
        if not protected:
            if cla.secure_messaging is not SecureMessaging.NONE:
                raise RefusedError(0x6882)
            if cla.base not in instruction.plain:
                raise RefusedError(0x6987)
        elif cla.base not in instruction.protected:
            raise RefusedError(0x6882)
        if not protected or instruction.opens_session:
            if cla.chaining:
                raise RefusedError(0x6884)
        else:
            command = self._unprotect(cla, header, command, chain)
            if command is None:
                return Reply(SW_OK)  # more parts to come
        if not instruction.parameters(header[2], header[3]):
            raise RefusedError(0x6A86)
        if command is None or not instruction.lengths(command):
            raise RefusedError(0x6700)
        reply = instruction.run(self, command, protected)
        if protected and not instruction.opens_session and self.channel is not None:
            return Reply(reply.sw, self.channel.wrap(reply.data, reply.sw))
        return reply

    def _unprotect(
        self, cla: ClassByte, header: bytes, command: CommandApdu | None, chain: _Chain | None
    ) -> CommandApdu | None:
        """The plain command once its last part is here; None before. A wrong one ends the session."""
        if self.channel is None:
            raise RefusedError(0x6985)
        if command is None:
            raise RefusedError(0x6700)
        key = (cla.base, header[1:])
        if chain is not None and chain.key != key:
            if cla.chaining:
                raise RefusedError(0x6883)
            chain = None
        data = chain.data + command.data if chain is not None else command.data
        extended = command.extended or (chain is not None and chain.extended)
        if cla.chaining:
            if len(data) > MAX_CHAINED_BYTES:
                raise RefusedError(0x6700)
            self._chain = _Chain(key, data, extended)
            return None
        mac_header = bytes([cla.base | SM_BIT]) + header[1:]
        plain = self.channel.unwrap(mac_header, data, extended=extended or len(data) > SHORT_LC_MAX)
        if isinstance(plain, int):
            self.end_session()
            raise RefusedError(plain)
        long = extended or len(plain) > SHORT_LC_MAX
        ne = command.ne or (EXTENDED_NE_MAX if long else SHORT_NE_MAX)
        return CommandApdu(cla.base, header[1], header[2], header[3], plain, ne, long)
