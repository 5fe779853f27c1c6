"""SCP03 with AES: primitives and the host's side. Challenges, cryptograms and MACs have 8 bytes (S8) or 16 (S16).

Source: card channel rules of the hardware reference (§3.2), checked against two independent clients; not against the
GlobalPlatform text, and S16 against none. Pure bytes in, bytes out: nothing here sends anything. The card's side is
`secure_channel`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq

from kiosk.card.apdu import SHORT_LC_MAX
from simulators.card.keys import KeySet

BLOCK_BYTES: Final = 16
S8: Final = 8
S16: Final = 16
MODES: Final = (S8, S16)
"""Bytes of each challenge, cryptogram and MAC. The host's challenge says which: a card here speaks both."""
EMPTY_CHAIN: Final = bytes(BLOCK_BYTES)
DIVERSIFICATION_BYTES: Final = 10
SCP_IDENTIFIER: Final = 0x03
SCP_PARAMETER_I: Final = 0x60
"""Random card challenge, R-MAC and R-ENC supported."""

INS_INITIALIZE_UPDATE: Final = 0x50
INS_EXTERNAL_AUTHENTICATE: Final = 0x82

LEVEL_C_ENC: Final = 0x02
LEVEL_R_MAC: Final = 0x10
LEVEL_R_ENC: Final = 0x20
LEVEL_FULL: Final = 0x33

_CONSTANT_CARD_CRYPTOGRAM: Final = 0x00
_CONSTANT_HOST_CRYPTOGRAM: Final = 0x01
_CONSTANT_S_ENC: Final = 0x04
_CONSTANT_S_MAC: Final = 0x06
_CONSTANT_S_RMAC: Final = 0x07
_INITIALIZE_ANSWER_BYTES: Final = {S8: (29, 32), S16: (45, 48)}  # without and with a 3-byte sequence counter


class Scp03Error(StrEnum):
    """Why the host refuses what the card answered."""

    MALFORMED = "malformed answer"
    WRONG_PROTOCOL = "another protocol or key version"
    WRONG_CARD_CRYPTOGRAM = "wrong card cryptogram"
    WRONG_R_MAC = "wrong or missing R-MAC"
    WRONG_PADDING = "wrong padding under a right R-MAC"


@dataclass(frozen=True, slots=True)
class Answer:
    """Plain data and status word of a protected command."""

    data: bytes = field(repr=False)
    sw: int


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """Keys of one session, as long as the static ones. `mac_bytes`: its mode."""

    s_enc: bytes = field(repr=False)
    s_mac: bytes = field(repr=False)
    s_rmac: bytes = field(repr=False)
    mac_bytes: int = S8


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def kdf(key: bytes, constant: int, length_bits: int, context: bytes) -> bytes:
    """Counter-mode KDF: blocks of CMAC over 11×00, constant, 00, L in bits, i, context."""
    wanted = length_bits // 8
    output = b""
    for i in range(1, -(-wanted // BLOCK_BYTES) + 1):
        output += cmac(key, bytes(11) + bytes([constant, 0]) + length_bits.to_bytes(2, "big") + bytes([i]) + context)
    return output[:wanted]


def derive_session_keys(keys: KeySet, host_challenge: bytes, card_challenge: bytes) -> SessionKeys:
    """S-ENC, S-MAC and S-RMAC from the static keys and both challenges, whose length is the mode."""
    context = host_challenge + card_challenge
    bits = len(keys.enc) * 8
    return SessionKeys(
        kdf(keys.enc, _CONSTANT_S_ENC, bits, context),
        kdf(keys.mac, _CONSTANT_S_MAC, bits, context),
        kdf(keys.mac, _CONSTANT_S_RMAC, bits, context),
        len(host_challenge),
    )


def card_cryptogram(session: SessionKeys, host_challenge: bytes, card_challenge: bytes) -> bytes:
    """8 or 16 bytes that prove the card."""
    return kdf(session.s_mac, _CONSTANT_CARD_CRYPTOGRAM, session.mac_bytes * 8, host_challenge + card_challenge)


def host_cryptogram(session: SessionKeys, host_challenge: bytes, card_challenge: bytes) -> bytes:
    """8 or 16 bytes that prove the host."""
    return kdf(session.s_mac, _CONSTANT_HOST_CRYPTOGRAM, session.mac_bytes * 8, host_challenge + card_challenge)


def pad(data: bytes) -> bytes:
    """ISO 9797-1 method 2: 80 then zeros up to a whole block (always at least one byte)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK_BYTES)


def unpad(data: bytes) -> bytes | None:
    """Data without its padding; None when there is none."""
    stripped = data.rstrip(b"\x00")
    return stripped[:-1] if stripped.endswith(b"\x80") and len(data) - len(stripped) < BLOCK_BYTES else None


def crypt(s_enc: bytes, counter: int, data: bytes, *, response: bool, encrypt: bool) -> bytes:
    """AES-CBC over whole blocks; ICV = AES(S-ENC, counter), first byte 80 in the direction card → host."""
    block = bytes([0x80 if response else 0]) + counter.to_bytes(BLOCK_BYTES - 1, "big")
    single = Cipher(AES(s_enc), modes.ECB()).encryptor()  # noqa: S305  # one block: the ICV of SCP03
    icv = single.update(block) + single.finalize()
    cipher = Cipher(AES(s_enc), modes.CBC(icv))
    operation = cipher.encryptor() if encrypt else cipher.decryptor()
    return operation.update(data) + operation.finalize()


def command_chain(session: SessionKeys, chain: bytes, header: bytes, data: bytes, *, extended: bool) -> bytes:
    """Next MAC chaining value (16 bytes, the first `mac_bytes` are sent) over chain, header, Lc' and data without MAC.

    `header`: CLA INS P1 P2 with CLA = (CLA & F0) | 04. Lc' counts the MAC and has the form of the wire.
    """
    length = len(data) + session.mac_bytes
    lc = b"\x00" + length.to_bytes(2, "big") if extended else bytes([length])
    return cmac(session.s_mac, chain + header + lc + data)


def response_mac(session: SessionKeys, chain: bytes, data: bytes, sw: int) -> bytes:
    """R-MAC of `mac_bytes` over the command's chaining value, the protected data and the status word."""
    return cmac(session.s_rmac, chain + data + sw.to_bytes(2, "big"))[: session.mac_bytes]


def is_protected_status(sw: int) -> bool:
    """9000, 62xx and 63xx answers carry an R-MAC; errors go bare."""
    return sw == 0x9000 or sw >> 8 in (0x62, 0x63)


@dataclass(slots=True)
class HostSession:
    """The centre's side at level 33: build commands, check answers. `host_challenge`: 8 bytes for S8, 16 for S16.

    Commands may be wrapped ahead of their answers (a package of several): the answers are unwrapped in the same order.
    `to_json` holds challenges, counters and chaining values but no key: `from_json` takes the card's keys again.
    """

    keys: KeySet = field(repr=False)
    host_challenge: bytes = field(default_factory=lambda: secrets.token_bytes(S8), repr=False)
    card_challenge: bytes = field(default=b"", repr=False)
    chain: bytes = field(default=EMPTY_CHAIN, repr=False)
    counter: int = 0
    outstanding: list[tuple[int, bytes]] = field(default_factory=list, repr=False)  # counter, chaining value

    @property
    def mode(self) -> int:
        """S8 or S16."""
        return len(self.host_challenge)

    @property
    def max_payload_bytes(self) -> int:
        """Longest plain data of one short command: with padding and MAC it fits 255 bytes."""
        return (SHORT_LC_MAX - self.mode) // BLOCK_BYTES * BLOCK_BYTES - 1

    def initialize_update(self) -> bytes:
        """INITIALIZE UPDATE with Le (case 4: a T=0 transport drops Le and fetches the answer)."""
        header = bytes([0x80, INS_INITIALIZE_UPDATE, self.keys.kvn, 0x00, self.mode])
        return header + self.host_challenge + b"\x00"

    def external_authenticate(self, initialize_answer: bytes) -> bytes | Scp03Error:
        """Check the data of the answer to INITIALIZE UPDATE (no status word: diversification 10, KVN, 03, i,
        challenge and cryptogram 8 or 16, counter 0 or 3) and build EXTERNAL AUTHENTICATE at level 33 (case 3)."""
        if len(initialize_answer) not in _INITIALIZE_ANSWER_BYTES[self.mode]:
            return Scp03Error.MALFORMED
        kvn, protocol = initialize_answer[DIVERSIFICATION_BYTES : DIVERSIFICATION_BYTES + 2]
        if (kvn, protocol) != (self.keys.kvn, SCP_IDENTIFIER):
            return Scp03Error.WRONG_PROTOCOL
        proof = initialize_answer[DIVERSIFICATION_BYTES + 3 :]
        challenge, cryptogram = proof[: self.mode], proof[self.mode : 2 * self.mode]
        session = derive_session_keys(self.keys, self.host_challenge, challenge)
        if not bytes_eq(card_cryptogram(session, self.host_challenge, challenge), cryptogram):
            return Scp03Error.WRONG_CARD_CRYPTOGRAM
        self.card_challenge = challenge
        header = bytes([0x84, INS_EXTERNAL_AUTHENTICATE, LEVEL_FULL, 0x00])
        data = host_cryptogram(session, self.host_challenge, challenge)
        self.chain = command_chain(session, EMPTY_CHAIN, header, data, extended=False)
        return header + bytes([len(data) + self.mode]) + data + self.chain[: self.mode]

    def wrap(self, ins: int, p1: int, p2: int, data: bytes = b"") -> bytes:
        """One protected command, CLA 84, with Le 00 (case 4). `data`: at most `max_payload_bytes`."""
        if len(data) > self.max_payload_bytes:
            raise ValueError(f"at most {self.max_payload_bytes} bytes fit a protected command, not {len(data)}")
        session = self._session()
        self.counter += 1
        secret = crypt(session.s_enc, self.counter, pad(data), response=False, encrypt=True) if data else b""
        header = bytes([0x84, ins, p1, p2])
        self.chain = command_chain(session, self.chain, header, secret, extended=False)
        self.outstanding.append((self.counter, self.chain))
        return header + bytes([len(secret) + self.mode]) + secret + self.chain[: self.mode] + b"\x00"

    def unwrap(self, answer: bytes) -> Answer | Scp03Error:
        """Plain form of the whole answer (data and status word) to the oldest command still unanswered.

        A bare error status word comes back as `Answer(b"", sw)`: it is not authenticated, and nothing was done.
        """
        if len(answer) < 2 or not self.outstanding:
            return Scp03Error.MALFORMED
        counter, chain = self.outstanding.pop(0)
        body, sw = answer[:-2], int.from_bytes(answer[-2:], "big")
        if not is_protected_status(sw):
            return Answer(b"", sw) if not body else Scp03Error.MALFORMED
        session = self._session()
        secret, mac = body[: -self.mode], body[-self.mode :]
        if not bytes_eq(response_mac(session, chain, secret, sw), mac):
            return Scp03Error.WRONG_R_MAC
        if len(secret) % BLOCK_BYTES:
            return Scp03Error.MALFORMED
        plain = unpad(crypt(session.s_enc, counter, secret, response=True, encrypt=False)) if secret else b""
        return Scp03Error.WRONG_PADDING if plain is None else Answer(plain, sw)

    def to_json(self) -> str:
        """The state between two packages, without any key."""
        return json.dumps(
            {
                "host_challenge": self.host_challenge.hex(),
                "card_challenge": self.card_challenge.hex(),
                "chain": self.chain.hex(),
                "counter": self.counter,
                "outstanding": [[counter, chain.hex()] for counter, chain in self.outstanding],
            }
        )

    @classmethod
    def from_json(cls, state: str, keys: KeySet) -> Self:
        """The session again, from `to_json` of a session under the same keys."""
        values = json.loads(state)
        return cls(
            keys,
            bytes.fromhex(values["host_challenge"]),
            bytes.fromhex(values["card_challenge"]),
            bytes.fromhex(values["chain"]),
            values["counter"],
            [(counter, bytes.fromhex(chain)) for counter, chain in values["outstanding"]],
        )

    def _session(self) -> SessionKeys:
        if not self.card_challenge:
            raise ValueError("the session is not authenticated yet")
        return derive_session_keys(self.keys, self.host_challenge, self.card_challenge)
