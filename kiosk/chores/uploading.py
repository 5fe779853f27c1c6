"""The chore of emptying the outbox; that it has stopped for good is written down once."""

from __future__ import annotations

from kiosk.facts import Facts
from kiosk.sync.uploader import Uploader, UploadState


class Uploading:
    """One step of the upload at a time."""

    def __init__(self, uploader: Uploader, facts: Facts) -> None:
        self._uploader, self._facts = uploader, facts

    def step(self) -> float:
        """See `Chore.step`."""
        before = self._uploader.status.state
        delay_s = self._uploader.step()
        status = self._uploader.status
        if status.state is UploadState.STOPPED and before is not UploadState.STOPPED:
            self._facts.commit("upload_stopped", {"reason": status.reason})
        return delay_s
