"""A kiosk's whole protocol: its real parts on a disk that loses power, a network that errs, a backend that dies.

Everything that happens is a function of the seed.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kiosk.journal.journal import verify
from kiosk.store.errors import StoreFailedError
from kiosk.store.files import sync_directory
from kiosk.store.transaction import read_meta_int
from kiosk.sync.documents import Document
from kiosk.sync.enrol_record import EnrolmentRecord, last_enrolment
from kiosk.sync.identity_files import TRUST
from kiosk.sync.outbox import pending
from kiosk.sync.time_keeper import TIME_FLOOR
from kiosk.sync.uploader import stopped
from simulators.backend.documents import set_policy
from tests.properties.backend import KIOSK, Backend, WorldClock, authority
from tests.properties.kiosk import Kept, Kiosk
from tests.properties.network import Network
from tests.store.power_loss import DISK, Disk, PowerGoneError


class World:
    """One kiosk, one backend, and what lies between them. Use it under `staged()`; `judge` once, at the end."""

    def __init__(self, folder: Path, seed: int) -> None:
        rng = random.Random(seed)
        self.clock, self.kept = WorldClock(), Kept()
        self.calm = False
        self.backend = Backend(self.clock, lambda: not self.calm and rng.random() < 0.04)
        self.network = Network(self.backend, rng)
        self.state = folder / "state"
        self.state.mkdir()
        self.ticket = self.backend.ticket()
        self.kiosk: Kiosk | None = None
        self.fallen = False  # whether keys that were in force are gone
        self.disks, self.images = 1, 0
        self.on_image = Kept()
        self.excused = 0  # facts up to this number may have gone with an earlier disk

    def boot(self, *, vfs: str | None = Disk.ENCRYPTED) -> None:
        """Start the program; raises StoreFailedError where the store does not open."""
        self.kiosk = None
        self.kiosk = Kiosk(self.state, self.network, self.clock, self.kept, vfs=vfs)

    def shut(self) -> None:
        """End the program, if it runs."""
        if self.kiosk is not None:
            self.kiosk.close()
        self.kiosk = None

    def enrol(self) -> None:
        """With the ticket at hand; one that was spent on other keys is replaced by the operator."""
        if self.kiosk is not None and self.kiosk.identities is None:
            refused = self.kiosk.enrol(self.ticket)
            if refused is not None and refused.startswith("ticket"):
                self.ticket = self.backend.ticket()
            if refused is not None and refused.startswith("state_dir"):  # half taken away, see below
                self._clear()

    def enrol_again(self) -> None:
        """A technician sets the kiosk up anew, on the same outbox."""
        if self.kiosk is not None and self.kiosk.identities is not None:
            self._clear()
            self.ticket = self.backend.ticket()
            self.enrol()

    def _clear(self) -> None:
        """The identity is taken away by hand: what makes it valid first."""
        self.kept.generation = 0
        directory = self.state / "identity"
        others = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != TRUST)
        for paths in ([directory / TRUST], others):
            for path in paths:
                path.unlink(missing_ok=True)
            for each in (directory, directory / "keys"):
                if each.is_dir():
                    try:
                        sync_directory(each)
                    except OSError:  # whoever does this by hand sees it, and does it again
                        sync_directory(each)
        if self.kiosk is not None:
            self.kiosk.load()

    def back_up(self) -> None:
        """Somebody keeps an image of the disk."""
        self.shut()
        self.images += 1
        shutil.copytree(self.state, self.state.with_name(f"image-{self.images}"))
        self.on_image = replace(self.kept, facts=list(self.kept.facts))
        self.boot()

    def replace_disk(self) -> None:
        """The disk has died; there is another in its place: with the image on it, if there is one, else empty."""
        self.shut()
        self.network.settle()  # by the time that somebody has come
        self.disks += 1
        self.network.disk = self.disks  # a number that an earlier disk has sent in vain is free
        image = self.state.with_name(f"image-{self.images}")
        self.state = self.state.with_name(f"state-{self.disks}")
        told = {json.loads(body)["packages"] for _, _, kind, body in self.backend.applied() if kind == "update_ended"}
        if image.exists():
            shutil.copytree(
                image, self.state, ignore=shutil.ignore_patterns("identity")
            )  # it must not speak for itself
        else:
            self.state.mkdir()
        kept = self.on_image
        self.excused = self.kept.tried
        facts = [number for number in self.kept.facts if number in told or number in kept.facts]
        self.kept = replace(kept, facts=facts, tried=self.kept.tried, generation=0)
        self.ticket = self.backend.ticket()
        self.boot()
        self.enrol()

    def publish(self) -> None:
        """A newer policy."""
        now_s = self.backend.now_s()
        self.backend.do(lambda connection: set_policy(connection, authority(), KIOSK, {"kiosk_number": "0999"}, now_s))

    def heal(self) -> None:
        """Power, network and backend are well: let the kiosk finish what it began."""
        self.shut()
        self.calm = self.network.calm = True
        self.network.settle()
        self.boot(vfs=None)
        assert self.kiosk is not None
        self.fallen = self.kiosk.generation < self.kept.generation
        for _ in range(4):
            self.enrol()
        for _ in range(3):
            self.kiosk.renew()
        self.kiosk.poll()
        for _ in range(60):
            self.kiosk.upload()
            if self.kiosk.store.submit(pending).result() == 0:
                break

    def judge(self) -> list[str]:
        """Heal, then name every promise that was broken."""
        DISK.plug_in(seed=0)
        try:
            self.heal()
        except StoreFailedError as failed:
            return [f"the store does not open: {failed}"]
        assert self.kiosk is not None
        try:
            return list(self._broken(self.kiosk))
        finally:
            self.shut()
            self.backend.close()

    def _broken(self, kiosk: Kiosk) -> Iterator[str]:
        applied = self.backend.applied()
        counted = Counter(json.loads(body)["packages"] for _, _, kind, body in applied if kind == "update_ended")
        lost = [number for number in self.kept.facts if number not in counted]
        if lost:
            yield f"acknowledged and not applied: {lost}"
        doubled = [number for number, times in counted.items() if times > 1]
        if doubled:
            yield f"applied more than once: {doubled}"
        statement = "SELECT fields FROM journal WHERE type = 'update_ended'"
        rows = kiosk.store.submit(lambda tx: tx.execute(statement)).result()
        invented = counted.keys() - {json.loads(str(fields))["packages"] for (fields,) in rows}
        if any(number > self.excused for number in invented):
            yield f"applied and never committed: {sorted(invented)}"
        statement = "SELECT fields, count(*) FROM journal WHERE type = 'enrolled' GROUP BY fields"
        enrolments = kiosk.store.submit(lambda tx: tx.execute(statement)).result()
        if any(times != 1 for _, times in enrolments):
            yield f"an enrolment was written down more than once: {enrolments}"
        record = last_enrolment(self.state / "identity")
        if not isinstance(record, EnrolmentRecord) or (f'{{"generation":{record.generation}}}', 1) not in enrolments:
            yield f"an enrolment was not written down: {enrolments}"
        for numbers in self.backend.order.values():
            if numbers != list(range(1, len(numbers) + 1)):
                yield f"order of an aggregate: {numbers}"
        forked = [number for number, bodies in self.network.batches.items() if len(bodies) > 1]
        if forked:
            yield f"batch numbers with two contents: {forked}"
        if max(self.network.nonces.values(), default=1) > 1:
            yield "a nonce was used twice"
        if (reason := kiosk.store.submit(stopped).result()) is not None:
            yield f"the upload has stopped: {reason}"
        if not kiosk.store.submit(verify).result().ok:
            yield "the journal does not verify"
        if kiosk.store.submit(lambda tx: read_meta_int(tx, TIME_FLOOR)).result() < self.kept.floor_s:
            yield "the time floor has fallen"
        kept = [each for each in kiosk.keeper.kept().result() if isinstance(each, Document) and each.type == "policy"]
        if self.kept.policy and (not kept or kept[0].version < self.kept.policy):
            yield "the policy floor has fallen"
        if self.fallen:
            yield "keys that were in force are gone"
        if not isinstance(kiosk._channel().call("/v1/sync/state", {"batch_seq": 1}), dict):
            yield "the backend does not accept the kiosk's key"


Life = Callable[["World"], Iterator[Callable[[], None]]]


def life(world: World) -> Iterator[Callable[[], None]]:
    """What a kiosk lives through: enrolment, facts, uploads, documents, new keys, a restart, another enrolment."""

    def kiosk() -> Kiosk:
        if world.kiosk is None:  # its store did not open the last time
            world.boot()
        assert world.kiosk is not None
        return world.kiosk

    yield world.boot
    yield lambda: kiosk().fact()
    for _ in range(3):
        yield world.enrol
    for _ in range(3):
        yield lambda: kiosk().fact()
    for _ in range(3):
        yield lambda: kiosk().upload()
    yield world.publish
    yield lambda: kiosk().poll()
    yield lambda: kiosk().fact()
    yield lambda: kiosk().renew()
    yield lambda: kiosk().fact()
    yield lambda: kiosk().upload()
    yield lambda: kiosk().renew()
    yield lambda: kiosk().upload()
    yield world.shut
    yield world.boot
    yield lambda: kiosk().fact()
    yield lambda: kiosk().upload()
    yield world.publish
    yield lambda: kiosk().poll()
    yield world.enrol_again
    yield lambda: kiosk().fact()
    for _ in range(3):
        yield lambda: kiosk().upload()
    yield world.shut


def second_disks(world: World) -> Iterator[Callable[[], None]]:
    """A kiosk whose disk is replaced twice: by a new one, then by an older image of itself."""

    def kiosk() -> Kiosk:
        if world.kiosk is None:
            world.boot()
        assert world.kiosk is not None
        return world.kiosk

    def told() -> Iterator[Callable[[], None]]:
        for _ in range(2):
            yield lambda: kiosk().fact()
        for _ in range(4):
            yield lambda: kiosk().upload()

    yield world.boot
    for _ in range(2):
        yield world.enrol
    yield from told()
    yield lambda: kiosk().fact()
    yield world.replace_disk
    yield world.enrol
    yield from told()
    yield lambda: kiosk().fact()
    yield world.back_up
    yield from told()
    yield world.replace_disk
    yield world.enrol
    yield from told()
    yield world.shut


def live(world: World, lived: Life = life) -> bool:
    """Go through a life until its end or until the power goes; whether it got to its end."""
    for step in lived(world):
        with contextlib.suppress(StoreFailedError, PowerGoneError):
            step()
        if DISK.off:
            world.shut()
            return False
    return True
