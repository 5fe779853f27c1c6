"""The chore of emptying the outbox; what somebody must know of it is written down once, and told to `diagnose`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kiosk.background import RETRY_S
from kiosk.diagnostics.report import Check
from kiosk.facts import Facts, OutboxFullError
from kiosk.status import FILLING_SHARE, outbox_check
from kiosk.store.errors import StoreFailedError
from kiosk.sync.identity import IdentityError
from kiosk.sync.uploader import Uploader, UploadState

CALM_SHARE: Final = 0.7
"""Below this the next filling is news again."""


class Uploading:
    """One step of the upload at a time; the first settles an enrolment whose `enrol` was cut off."""

    def __init__(self, uploader: Uploader, facts: Facts, settle: Callable[[], IdentityError | None]) -> None:
        """settle: see `settle_enrolment`."""
        self._uploader, self._facts, self._settle = uploader, facts, settle
        self._settled, self._problem = False, ""
        self._filled = 0.0
        self._alerted = False

    def step(self) -> float:
        """See `Chore.step`."""
        if not self._settled:
            self._problem = self._unsettled()
            self._settled = not self._problem
            if self._problem:
                return RETRY_S
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
        state, reason = (UploadState.STORE_FAILED, self._problem) if self._problem else (status.state, status.reason)
        return outbox_check(status.pending, status.dead, self._filled, state.value, reason)

    def _unsettled(self) -> str:
        """Why nothing may be sent yet: it might bear a number that another disk has used."""
        try:
            unreadable = self._settle()
        except StoreFailedError as failed:
            return str(failed)
        except OutboxFullError:  # the numbers are settled; the fact is written by a later run, when there is room
            return ""
        return "" if unreadable is None else f"{unreadable.field}: {unreadable.reason}"

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
