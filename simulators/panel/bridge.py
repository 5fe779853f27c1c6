"""What the panel's QML sees of the hands: the scene, property by property, and a slot for each deed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import Property, QObject, Qt, QUrl, Signal, Slot
from PySide6.QtQml import QmlElement, QmlSingleton

from kiosk.card.values import CardKind
from kiosk.ui.rows import RowsModel
from kiosk.visit.ports import ReaderRole
from simulators.panel.hands import Hands, Place, Scene
from simulators.personas import Persona, load, names

QML_IMPORT_NAME = "Simulators.Panel"
QML_IMPORT_MAJOR_VERSION = 1

_NOTHING = Scene(chosen="")
_DRAWN = {CardKind.VITALE_2: "vitale2", CardKind.VITALE_1: "vitale1"}


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card of the deck. `kind`: how it is drawn, `vitale2`, `vitale1` or `other`."""

    name: str
    title: str
    kind: str


def built_in() -> list[Persona]:
    """Every committed persona, those with a chip first."""
    return sorted(map(load, names()), key=lambda persona: persona.card.chip is None)


def card_row(persona: Persona) -> CardRow:
    """How a persona's card looks in the deck."""
    return CardRow(persona.name, persona.title, _DRAWN.get(persona.card.kind, "other"))


@QmlElement
@QmlSingleton
class Bench(QObject):
    """The scene for QML. Lives in the GUI thread; `show` is safe from any."""

    changed = Signal()
    _arrived = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._scene = _NOTHING
        self._rows: dict[str, CardRow] = {}
        self._deck = RowsModel(CardRow, self)
        self._hands: Hands | None = None
        self._family = ""
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    def attach(self, hands: Hands, deck: Iterable[Persona], family: str) -> None:
        """Give it the hands that it moves, the cards that they may take, and the typeface."""
        self._hands, self._family, self._scene = hands, family, hands.scene
        self._rows = {persona.name: card_row(persona) for persona in deck}
        self._deck.replace(tuple(self._rows.values()))
        self.changed.emit()

    def show(self, scene: Scene) -> None:
        """Show this scene as soon as the event loop runs."""
        self._arrived.emit(scene)

    def current(self) -> Scene:
        """The scene being shown."""
        return self._scene

    @Slot(object)
    def _on_arrived(self, scene: Scene) -> None:
        self._scene = scene
        self.changed.emit()

    # --- what hands do -------------------------------------------------------------------------------------------

    @property
    def _at_work(self) -> Hands:
        if self._hands is None:
            raise AssertionError("the panel is used before its hands are attached")
        return self._hands

    @Slot(str)
    def choose(self, persona: str) -> None:
        self._at_work.choose(persona)

    @Slot()
    def turn(self) -> None:
        self._at_work.turn()

    @Slot(str)
    def insert(self, role: str) -> None:
        self._at_work.insert(ReaderRole(role))

    @Slot(str)
    def remove(self, role: str) -> None:
        self._at_work.remove(ReaderRole(role))

    @Slot(bool)
    def setNetwork(self, up: bool) -> None:  # noqa: N802  # QML name
        self._at_work.network(up=up)

    @Slot(bool)
    def setPaper(self, present: bool) -> None:  # noqa: N802  # QML name
        self._at_work.paper(present=present)

    @Slot()
    def forgetProblem(self) -> None:  # noqa: N802  # QML name
        self._at_work.forget_problem()

    # --- the scene -----------------------------------------------------------------------------------------------

    @Property(QObject, constant=True)
    def deck(self) -> RowsModel:
        return self._deck

    @Property(str, notify=changed)
    def family(self) -> str:
        return self._family

    @Property(str, notify=changed)
    def chosen(self) -> str:
        return self._scene.chosen

    @Property(str, notify=changed)
    def patient(self) -> str:
        """The persona in the patient slot, or nothing."""
        return self._scene.slots.get(ReaderRole.PATIENT, "")

    @Property(str, notify=changed)
    def professional(self) -> str:
        """The persona in the professional slot, or nothing."""
        return self._scene.slots.get(ReaderRole.PROFESSIONAL, "")

    @Property("QStringList", notify=changed)  # type: ignore[arg-type]  # a Qt type by name, as qmllint knows it
    def turned(self) -> list[str]:
        """Personas whose card is turned over."""
        return sorted(self._scene.turned)

    @Property(bool, notify=changed)
    def network(self) -> bool:
        return self._scene.network

    @Property(bool, notify=changed)
    def networkBusy(self) -> bool:  # noqa: N802  # QML name
        return Place.NETWORK in self._scene.busy

    @Property(bool, notify=changed)
    def paper(self) -> bool:
        return self._scene.paper

    @Property(bool, notify=changed)
    def paperBusy(self) -> bool:  # noqa: N802  # QML name
        return Place.PAPER in self._scene.busy

    @Property(QUrl, notify=changed)
    def ticket(self) -> QUrl:
        """Picture of the last ticket; empty before the first."""
        return QUrl() if self._scene.ticket is None else QUrl.fromLocalFile(str(self._scene.ticket))

    @Property(int, notify=changed)
    def tickets(self) -> int:
        return self._scene.tickets

    @Property(str, notify=changed)
    def problem(self) -> str:
        return self._scene.problem

    @Slot(str, result=str)
    def titleOf(self, persona: str) -> str:  # noqa: N802  # QML name
        return self._rows[persona].title if persona in self._rows else ""

    @Slot(str, result=str)
    def kindOf(self, persona: str) -> str:  # noqa: N802  # QML name
        return self._rows[persona].kind if persona in self._rows else ""
