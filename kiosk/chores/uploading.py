"""The chore of emptying the outbox; what somebody must know of it is written down once, and told to `diagnose`."""

from __future__ import annotations

from typing import Final

from kiosk.diagnostics.report import Check
from kiosk.facts import Facts
from kiosk.status import FILLING_SHARE, outbox_check
from kiosk.store.errors import StoreFailedError
from kiosk.sync.uploader import Uploader, UploadState

CALM_SHARE: Final = 0.7
"""Below this the next filling is news again."""


class Uploading:
    """One step of the upload at a time."""

    def __init__(self, uploader: Uploader, facts: Facts) -> None:
        self._uploader, self._facts = uploader, facts
        self._filled = 0.0
        self._alerted = False

    def step(self) -> float:
        """See `Chore.step`."""
        before = self._uploader.status
        delay_s = self._uploader.step()
        status = self._uploader.status
        if status.state is UploadState.STOPPED and before.state is not UploadState.STOPPED:
            self._facts.commit("upload_stopped", {"reason": status.reason})
        if status.dead > before.dead:
            self._facts.commit("event_refused", {"refused": status.dead})
        self._look_at_quota()
        return delay_s

    def check(self) -> Check:
        """The outbox as the last step has found it. Safe from any thread."""
        status = self._uploader.status
        return outbox_check(status.pending, status.dead, self._filled, status.state.value, status.reason)

    def _look_at_quota(self) -> None:
        try:
            self._filled = self._facts.outbox_filled().result()
        except StoreFailedError:  # the upload has met the same, and says so
            return
        if self._filled >= FILLING_SHARE and not self._alerted:
            self._alerted = True
            self._facts.commit("outbox_filling", {"percent": min(int(self._filled * 100), 100)})
        elif self._filled < CALM_SHARE:
            self._alerted = False
