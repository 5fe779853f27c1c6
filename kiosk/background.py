"""The background side of the channel: upload of the outbox, signed policy. Touches no card, delays no member."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from kiosk import __version__
from kiosk.facts import Facts
from kiosk.office import service_health
from kiosk.store.thread import Store
from kiosk.sync import faults
from kiosk.sync.client import Channel
from kiosk.sync.documents import POLICY, DocumentError, PolicyDocument, PolicyKeeper, envelope_type
from kiosk.sync.identity import Identity
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.uploader import Uploader, UploadState
from kiosk.visit import events as ev
from kiosk.visit.ports import Clock, Post

POLL_S: Final = 60.0
RETRY_S: Final = 5.0
POLICY_ROUTE: Final = "/v1/policy/state"
_log = logging.getLogger(__name__)


class Background:
    """One thread with its own connection pool."""

    def __init__(
        self, identity: Identity, store: Store, facts: Facts, *, time: TimeKeeper, clock: Clock, post: Post
    ) -> None:
        self._channel = Channel(identity, time, clock, pause=self._pause)
        self._facts = facts
        self._time = time
        self._clock = clock
        self._post = post
        self._version = 0
        self._keeper = PolicyKeeper(
            store, role=identity.trust.roles[POLICY], scope=identity.kiosk, app_version=__version__
        )
        self._uploader = Uploader(store, self._channel, clock)
        self._wake = threading.Event()
        self._poll_at_s = clock.monotonic_s()
        self._ends = threading.Event()
        self._kept_taken = False
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        """Bring the kept policy into force, then begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the call under way and end the thread."""
        self._ends.set()
        self._wake.set()
        self._thread.join()
        self._channel.close()

    def wake(self) -> None:
        """There may be something to upload: look now."""
        self._wake.set()

    def watch_for_return(self) -> None:
        """Somebody found the service away: look for its return at the short interval from now on."""
        self._poll_at_s = self._clock.monotonic_s() + RETRY_S
        self._wake.set()

    # --- the background thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._ends.is_set():  # looked at only now: an end before the line above would have been forgotten
                return
            try:
                delay_s = self._round()
            except Exception as error:  # noqa: BLE001  a failing store, or a bug: neither may end upload and policy
                _log.error("a round failed: %s", type(error).__name__)
                delay_s = RETRY_S
            self._wake.wait(delay_s)

    def _round(self) -> float:
        """Upload and poll what is due; returns after how many seconds something may be due again."""
        if not self._kept_taken:
            self._take_kept()
        delay_s = self._upload()
        if self._clock.monotonic_s() >= self._poll_at_s:
            self._poll_at_s = self._clock.monotonic_s() + RETRY_S
            if self._poll():
                self._poll_at_s = self._clock.monotonic_s() + POLL_S
        return min(delay_s, max(self._poll_at_s - self._clock.monotonic_s(), 0.0))

    def _upload(self) -> float:
        """One step of the upload; that it has stopped for good is written down once."""
        before = self._uploader.status.state
        delay_s = self._uploader.step()
        status = self._uploader.status
        if status.state is UploadState.STOPPED and before is not UploadState.STOPPED:
            self._facts.commit("upload_stopped", {"reason": status.reason})
        return delay_s

    def _pause(self, seconds: float) -> None:
        """Between two attempts of one call; news to upload does not shorten it."""
        self._ends.wait(seconds)

    def _take_kept(self) -> None:
        kept = self._keeper.in_force().result()
        if isinstance(kept, PolicyDocument):
            self._version = kept.version
            self._post(ev.PolicyChanged(kept.policy))
        self._kept_taken = True

    def _poll(self) -> bool:
        """Ask for newer documents; also how the kiosk learns that the service is there and what time it is."""
        answer = self._channel.call(POLICY_ROUTE, {"known": {POLICY: self._version}}, deadline_s=RETRY_S)
        for event in service_health(answer, self._time):
            self._post(event)
        if not isinstance(answer, dict):
            return False
        documents = answer.get("documents")
        for envelope in documents if isinstance(documents, list) else ():
            if isinstance(envelope, dict) and envelope_type(envelope) == POLICY:
                self._adopt(envelope)
        return True

    def _adopt(self, envelope: dict[str, Any]) -> None:
        adopted = self._keeper.adopt(envelope, self._time.now_s()).result()
        if isinstance(adopted, DocumentError):
            refused = faults.bad_answer(f"policy: {adopted}")
            self._facts.commit("policy_refused", {"cause": refused.cause.value})
        elif adopted.version != self._version:
            self._version = adopted.version
            self._facts.commit("policy_applied", {"version": adopted.version})
            self._post(ev.PolicyChanged(adopted.policy))
            self._uploader.resume()
