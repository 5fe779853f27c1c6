"""Pages as signed documents change them: outages, a quarantine, places nearby, a site's own words, a wrong clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kiosk.visit.contents import Contents, NearbyKiosk
from kiosk.visit.failures import Cause, Fault, quarantined
from kiosk.visit.model import State
from kiosk.visit.outages import Outage, Outages
from kiosk.visit.pages import Attract, Guide, Help, Home, OutOfService, Welcome
from simulators import samples

NOW_S: Final = 1_789_999_500  # 2026-09-21, 14 h 05 UTC: the gallery's moment
_HOUR_S: Final = 3600
RUNNING: Final = Outage("lundi", NOW_S - _HOUR_S, NOW_S + 6 * _HOUR_S - 300)
RUNNING_FOR_SOME: Final = replace(RUNNING, regimes=("91",), who="les personnes de la MGEN")
FRIDAY: Final = Outage("vendredi", NOW_S + 94 * _HOUR_S - 300, NOW_S + 102 * _HOUR_S - 300, regimes=("91",))
NEARBY: Final = (
    NearbyKiosk("Pharmacie fictive du Marché", "4 rue du Test", "lundi à samedi, 9 h – 19 h"),
    NearbyKiosk("Centre hospitalier fictif, hall B", "12 avenue de l'Essai", "tous les jours, 8 h – 20 h"),
    NearbyKiosk("Agence MGEN fictive", "1 place Exemple"),
)
CONTENTS: Final = Contents(
    contact_address="Adresse : MGEN, 1 place Exemple, 00000 Ville-Fictive",
    help_texts=(("lost", "Déclarez-le à l'accueil de ce site. La carte sera bloquée."),),
    nearby=NEARBY,
)


def _with(state: State, outages: Outages) -> State:
    return replace(state, world=replace(state.world, outages=outages))


def document_pages() -> tuple[State, ...]:
    """Each page that a document changes, as a member meets it."""
    attract, told = samples.state(Attract()), replace(samples.POLICY, contents=CONTENTS)
    silent = samples.state(Home(), member=replace(samples.MEMBER, standing=None), card=True)
    clock = replace(samples.WORLD, clock_trusted=False, clock_fault=Fault(Cause.CLOCK_WRONG))
    return (
        _with(attract, Outages(now=(RUNNING,))),
        _with(attract, Outages(now=(RUNNING_FOR_SOME,))),
        _with(attract, Outages(soon=(FRIDAY,))),
        replace(attract, world=clock),
        _with(silent, Outages(now=(RUNNING_FOR_SOME,))),
        replace(silent, world=clock),
        replace(samples.state(OutOfService(quarantined("stop"))), policy=told),
        replace(samples.state(Guide()), policy=told),
        replace(samples.state(Help(back=Welcome())), policy=told),
    )
