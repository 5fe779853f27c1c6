"""The duties of an enrolled kiosk: which chores its background thread has, wired to one channel of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kiosk import __version__
from kiosk.background import Background
from kiosk.chores.documents import Documents
from kiosk.chores.pruning import Pruning
from kiosk.chores.renewing import Renewing
from kiosk.chores.uploading import Uploading
from kiosk.diagnostics.report import Check
from kiosk.enrolled import settle_enrolment
from kiosk.facts import Facts
from kiosk.office import Office
from kiosk.store.thread import Store
from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.documents_in_force import InForce
from kiosk.sync.documents_keeper import DocumentKeeper
from kiosk.sync.faults import RefusalReason
from kiosk.sync.identity import Identities, Identity
from kiosk.sync.renewal import Renewal
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader
from kiosk.visit.policy import Quarantine
from kiosk.visit.ports import Clock, Post


@dataclass(frozen=True, slots=True)
class Duties:
    """Chores, the thread that does them, and the kiosk's turn after an outage. `close`: ends their channel."""

    background: Background
    turn: Turn
    renewing: Renewing
    documents: Documents
    uploading: Uploading
    pruning: Pruning
    close: Callable[[], None]

    def start(self) -> None:
        """New keys first: whatever follows may need them. Then what was ordered: it counts before anything is sent."""
        self.background.start((self.renewing, self.documents, self.uploading, self.pruning), self.close)

    def service_back(self) -> None:
        """The backend serves again."""
        self.turn.service_back()

    def service_away(self) -> None:
        """The backend does not serve, for a reason that is new: look soon whether a document says why."""
        self.turn.service_away()
        self.documents.hurry()
        self.background.wake()

    def checks(self) -> tuple[Check, ...]:
        """How documents, outbox and keys are. Safe from any thread."""
        return (*self.documents.checks, self.uploading.check(), self.renewing.check())


def duties_of(
    identities: Identities,
    serial: str,
    store: Store,
    facts: Facts,
    office: Office,
    *,
    background: Background,
    time: TimeKeeper,
    clock: Clock,
    post: Post,
) -> Duties:
    """Wire the chores of this kiosk; nothing is started. `serial`: its serial number, for new certificates."""
    identity = identities.current
    credentials = office.credentials or Credentials(identity)

    def opened(keys: Credentials | Identity) -> Channel:
        return Channel(keys, time, clock, pause=background.pause)

    channel = opened(credentials)
    turn = Turn(identity.kiosk, clock)
    uploader = Uploader(store, channel, clock, turn)
    keeper = DocumentKeeper(store, roles=identity.trust.roles, kiosk=identity.kiosk, app_version=__version__)
    obey = partial(_obey, office, uploader)
    return Duties(
        background,
        turn,
        Renewing(
            Renewal(identities, serial),
            credentials,
            facts,
            open_channel=opened,
            time=time,
            clock=clock,
            switched=partial(keys_changed, uploader),
        ),
        Documents(channel, keeper, facts, time=time, clock=clock, post=post, obey=obey),
        Uploading(uploader, facts, partial(settle_enrolment, store, facts, identity.directory)),
        Pruning(store, facts, clock),
        channel.close,
    )


def keys_changed(uploader: Uploader) -> None:
    """Other keys are in force: what was held because the old ones were refused goes on."""
    if uploader.status.reason == RefusalReason.KEY_STATE:
        uploader.resume()


def _obey(office: Office, uploader: Uploader, in_force: InForce) -> None:
    office.obey(in_force)
    if in_force.policy.quarantine is Quarantine.STOP:
        uploader.hold("quarantined")
    else:
        uploader.resume()
