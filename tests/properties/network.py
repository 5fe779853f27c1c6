"""A network that loses, repeats, delays and reorders, until it is calm."""

from __future__ import annotations

import functools
import json
import random
from collections import Counter
from collections.abc import Callable

from kiosk.sync.wire import RawAnswer, WireFailure
from tests.properties.backend import ORIGIN, Backend
from tests.store.power_loss import DISK


class Network:
    """Drops, repeats, delays and reorders, until it is `calm`. Notes what the kiosk has sent."""

    def __init__(self, backend: Backend, rng: random.Random) -> None:
        self._backend, self._rng = backend, rng
        self.calm = False
        self._late: list[Callable[[], object]] = []
        self._older: RawAnswer | None = None
        self.disk = 1
        self.batches: dict[tuple[int, int], set[bytes]] = {}  # of each disk and number
        self.nonces: Counter[str] = Counter()
        self.mishaps: Counter[str] = Counter()

    def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        deadline_s: float,
        max_body_bytes: int,
    ) -> RawAnswer | WireFailure:
        """See `Wire.exchange`."""
        del deadline_s, max_body_bytes
        DISK.check()  # a machine without power sends nothing
        self._note(url, headers, body)
        deliver = functools.partial(self._backend.answer, method, url, headers, body)
        fate = "delivered" if self.calm else self._fate()
        self.mishaps[fate] += 1
        if fate == "request lost":
            return WireFailure("staged: request lost")
        if fate == "late":
            self._late.append(deliver)
            return WireFailure("staged: still on its way")
        if self._late and (self.calm or self._rng.random() < 0.5):
            self._late.pop(self._rng.randrange(len(self._late)))()
        answer = deliver()
        if fate == "repeated":
            deliver()
        if answer is None or fate == "answer lost":
            return WireFailure("staged: answer lost")
        if fate == "another answer" and self._older is not None:
            answer, self._older = self._older, answer
            return answer
        self._older = answer
        return answer

    def close(self) -> None:
        """Nothing is held."""

    def settle(self) -> None:
        """What was still on its way arrives."""
        while self._late:
            self._late.pop()()

    def _fate(self) -> str:
        fates = ("delivered", "request lost", "answer lost", "late", "repeated", "another answer")
        return self._rng.choices(fates, weights=(70, 7, 8, 5, 5, 5))[0]

    def _note(self, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        fields = dict(headers)
        if url == f"{ORIGIN}/v1/events":
            self.batches.setdefault((self.disk, json.loads(body)["batch_seq"]), set()).add(body)
        if "signature-input" in fields:
            _, _, rest = fields["signature-input"].partition(';nonce="')
            self.nonces[rest.partition('"')[0]] += 1
