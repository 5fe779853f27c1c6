"""SCP03 as a card speaks it: answer a handshake, check commands, protect answers. Rules: `scp03` and its source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from simulators.card import scp03
from simulators.card.keys import KeySet

SW_WRONG_CRYPTOGRAM: Final = 0x6300
SW_WRONG_MAC: Final = 0x6982
SW_MAC_MISSING: Final = 0x6987
LEVELS: Final = frozenset({0x01, 0x03, 0x11, 0x13, 0x33})


@dataclass(slots=True)
class CardChannel:
    """An open session. The caller drops it after the first failure: it is not usable any more."""

    level: int
    _session: scp03.SessionKeys = field(repr=False)
    _chain: bytes = field(repr=False)
    _counter: int = 0

    def unwrap(self, header: bytes, data: bytes, *, extended: bool) -> bytes | int:
        """Plain data of a protected command, or the status word that ends the session.

        `header`: CLA INS P1 P2 with CLA = (CLA & F0) | 04, without chaining bit. `extended`: the wire form of Lc, or a
        reassembled chain of more than 255 bytes.
        """
        mac_bytes = self._session.mac_bytes
        if len(data) < mac_bytes:
            return SW_MAC_MISSING
        secret, mac = data[:-mac_bytes], data[-mac_bytes:]
        chain = scp03.command_chain(self._session, self._chain, header, secret, extended=extended)
        if not bytes_eq(chain[:mac_bytes], mac):
            return SW_WRONG_MAC
        self._chain = chain
        self._counter += 1
        if not self.level & scp03.LEVEL_C_ENC or not secret:
            return secret
        if len(secret) % scp03.BLOCK_BYTES:
            return SW_WRONG_MAC
        plain = scp03.crypt(self._session.s_enc, self._counter, secret, response=False, encrypt=False)
        unpadded = scp03.unpad(plain)
        return SW_WRONG_MAC if unpadded is None else unpadded

    def wrap(self, data: bytes, sw: int) -> bytes:
        """Data field of the answer to the command just unwrapped; errors and levels without R-MAC go bare."""
        if not self.level & scp03.LEVEL_R_MAC or not scp03.is_protected_status(sw):
            return data
        if data and self.level & scp03.LEVEL_R_ENC:
            padded = scp03.pad(data)
            data = scp03.crypt(self._session.s_enc, self._counter, padded, response=True, encrypt=True)
        return data + scp03.response_mac(self._session, self._chain, data, sw)


@dataclass(frozen=True, slots=True)
class Handshake:
    """Between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE; both challenges are as long as the mode says."""

    keys: KeySet = field(repr=False)
    host_challenge: bytes = field(repr=False)
    card_challenge: bytes = field(repr=False)

    def answer(self, serial: bytes) -> bytes:
        """29 bytes under S8, 45 under S16: diversification data 10 (a digest of `serial`), KVN, 03, i, challenge,
        cryptogram."""
        diversification = hashlib.sha256(serial).digest()[: scp03.DIVERSIFICATION_BYTES]
        information = bytes([self.keys.kvn, scp03.SCP_IDENTIFIER, scp03.SCP_PARAMETER_I])
        cryptogram = scp03.card_cryptogram(self._session(), self.host_challenge, self.card_challenge)
        return diversification + information + self.card_challenge + cryptogram

    def authenticate(self, header: bytes, data: bytes, *, extended: bool) -> CardChannel | int:
        """Check EXTERNAL AUTHENTICATE (`data`: cryptogram, MAC; level in P1); the channel, or a status word."""
        session = self._session()
        cryptogram, mac = data[: session.mac_bytes], data[session.mac_bytes :]
        chain = scp03.command_chain(session, scp03.EMPTY_CHAIN, header, cryptogram, extended=extended)
        if not bytes_eq(chain[: session.mac_bytes], mac):
            return SW_WRONG_MAC
        expected = scp03.host_cryptogram(session, self.host_challenge, self.card_challenge)
        if not bytes_eq(expected, cryptogram):
            return SW_WRONG_CRYPTOGRAM
        return CardChannel(header[2], session, chain)

    def _session(self) -> scp03.SessionKeys:
        return scp03.derive_session_keys(self.keys, self.host_challenge, self.card_challenge)
