"""The keys in force, for every thread that signs: replaced as a whole; a channel notices before its next call."""

from __future__ import annotations

import threading

from kiosk.sync.identity import Identity


class Credentials:
    """Thread-safe holder of the identity in force."""

    def __init__(self, identity: Identity) -> None:
        self._lock = threading.Lock()
        self._identity = identity
        self._refused: Identity | None = None

    @staticmethod
    def of(identity: Identity | Credentials) -> Credentials:
        """What a channel holds: the shared holder, or one of its own for an identity that nobody will replace."""
        return identity if isinstance(identity, Credentials) else Credentials(identity)

    @property
    def current(self) -> Identity:
        """To sign the next request with. An identity is never changed: another one takes its place."""
        with self._lock:
            return self._identity

    @property
    def refused(self) -> bool:
        """Whether the backend's last word on the key in force, a signed one, was that it is not accepted."""
        with self._lock:
            return self._refused is self._identity

    def replace(self, identity: Identity) -> None:
        """From now on these keys."""
        with self._lock:
            self._identity = identity

    def told(self, identity: Identity, *, accepted: bool) -> None:
        """A proven answer to a request under these keys said so."""
        with self._lock:
            if not accepted:
                self._refused = identity
            elif self._refused is identity:
                self._refused = None
