"""What TLS learns behind a front while it serves: a fresh certificate of its own, and which kiosk's is revoked.

The parent is in this process, with a machine's clock that can be set; worker and front are processes as ever.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import uvloop

from simulators.backend import certificates, server, tls
from simulators.backend.clock import system_utc_s
from simulators.backend.files import DataDir
from simulators.backend.processes import serve_several
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, RealUtc, enrolled
from tests.simulators.backend.test_intake import STATE
from tests.simulators.backend.test_tls import DAY_S, KNOWN, on_file
from tests.simulators.backend.tls_side import Met, OneConnection, knock, until

LIMIT_S = 20.0


@dataclass(frozen=True)
class Scene:
    """Two kiosks were connected; then one was revoked and the certificate's time came, in the same moment."""

    ready: Ready
    before: Met
    revoked: KioskSide
    revoked_then: OneConnection
    other: KioskSide
    other_then: OneConnection


@pytest.fixture(scope="module")
def scene(first_start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Once for the file: whoever looks, looks every few seconds."""
    folder = tmp_path_factory.mktemp("front")
    data = DataDir(folder / "data")
    machine = FakeUtc(system_utc_s() - 21 * DAY_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "system_utc_s", machine)
        patch.setattr(tls, "JUDGE_EVERY_S", 0.02)
        ready, stop = started(data)
        kiosks = [enrolled(data.root, ready, RealUtc(0), folder / name, kiosk=name) for name in ("borne-1", "borne-2")]
        connected = [OneConnection(kiosk.data, kiosk.identity, kiosk.utc) for kiosk in kiosks]
        for kiosk in connected:
            kiosk.good(STATE, KNOWN)
        before = knock(ready.origin, kiosks[0].tls)
        kiosks[0].operate("revoke")
        machine.now_s = system_utc_s()
        yield Scene(ready, before, kiosks[0], connected[0], kiosks[1], connected[1])
        stop()
        for kiosk in connected:
            kiosk.connection.close()


def started(data: DataDir) -> tuple[Ready, Callable[[], None]]:
    """A parent in a thread, with one worker and one front; and what ends them."""
    ready: Future[Ready] = Future()
    loop = uvloop.new_event_loop()
    stop = asyncio.Event()
    run = serve_several(data, processes=1, fronts=1, database_url=None, stop=stop, on_ready=ready.set_result)
    thread = threading.Thread(target=lambda: loop.run_until_complete(run), name="parent", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)
        thread.join(LIMIT_S)
        loop.close()

    return ready.result(LIMIT_S), end


def test_a_revoked_kiosk_is_told_so_at_once_on_the_connection_it_has(scene: Scene) -> None:
    assert scene.revoked_then.refused(STATE, KNOWN)[:2] == (403, "key_state")


def test_a_revoked_kiosk_is_refused_by_tls_within_five_seconds(scene: Scene) -> None:
    """Of its clock, not of a loaded machine's: the front looks more often than that."""
    assert scene.before.is_open
    assert certificates.LOOK_EVERY_S <= 4
    until(lambda: not knock(scene.ready.origin, scene.revoked.tls).is_open)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        scene.revoked.call(STATE, KNOWN)
    assert scene.revoked_then.refused(STATE, KNOWN)[:2] == (403, "key_state")
    assert knock(scene.ready.origin, scene.other.tls).is_open
    assert scene.other.good(STATE, KNOWN)["last_seq"] == 0


def test_worker_and_front_show_the_certificate_that_their_parent_has_renewed(scene: Scene) -> None:
    stranger = ssl.create_default_context(cafile=scene.ready.ca_file)
    for door in (
        partial(knock, scene.ready.origin, scene.other.tls),
        partial(knock, scene.ready.enrol_origin, stranger),
    ):
        until(lambda: door().server != scene.before.server)  # noqa: B023  # called in this turn only
        assert door() == Met(on_file(scene.other.data), is_open=True)
    assert scene.other_then.server == scene.before.server
    assert scene.other_then.good(STATE, KNOWN)["last_seq"] == 0
