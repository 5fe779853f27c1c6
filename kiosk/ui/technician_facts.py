"""What the parts of the kiosk are called on the diagnostics page, and how each of their facts reads there, in French.

Machines read the same parts and facts by their English names (status file, `diagnose`, journal). A part, a fact or a
value without an entry is shown as it is: never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from kiosk.ui.technician_reasons import in_french
from kiosk.ui.texts import translate
from kiosk.ui.typography import NBSP, until

PARTS: Final[Mapping[str, str]] = {
    "store": translate("Base de données"),
    "reader patient": translate("Lecteur Vitale"),
    "reader professional": translate("Lecteur des professionnels"),
    "contacts patient": translate("Contacts du lecteur Vitale"),
    "contacts professional": translate("Contacts du lecteur des professionnels"),
    "card slot": translate("Fente Vitale"),
    "printer": translate("Imprimante"),
    "ticket output": translate("Sortie des tickets"),
    "channel": translate("Liaison avec le centre"),
    "clock": translate("Horloge"),
    "orders": translate("Ordres de l'exploitant"),
    "journal": translate("Journal"),
    "documents": translate("Documents signés"),
    "outbox": translate("File d'envoi"),
    "keys": translate("Clés et certificat"),
}

Telling = Callable[[str | int, datetime], str]
"""The line for a value of a fact. The moment is wall time with its zone."""


def _named(label: str) -> Telling:
    """A number, a word of `technician_reasons`, or whatever it is."""
    label = translate(label)
    return lambda value, _now: (
        f"{label} :{_grouped(value)}" if isinstance(value, int) else f"{label} : {in_french(value)}"
    )


def _one_of(label: str, words: Mapping[str, str]) -> Telling:
    """One of a closed list of values."""
    label = translate(label)
    known = {value: translate(word) for value, word in words.items()}
    return lambda value, _now: f"{label} : {known.get(str(value), value)}"


def _percent(value: str | int, _now: datetime) -> str:
    return translate("Remplie à {share}\u00a0%").format(share=value)


def _clock(value: str | int, _now: datetime) -> str:
    if not isinstance(value, int):
        return f"clock_ahead_s : {value}"
    wrong = translate("En avance de {span}") if value >= 0 else translate("En retard de {span}")
    return wrong.format(span=_span(abs(value)))


def _end_of_certificate(value: str | int, now: datetime) -> str:
    if not isinstance(value, int):
        return f"certificate_until_s : {value}"
    return translate("Certificat valable jusqu'{moment}").format(moment=until(value, now))


_CONTACTS: Final[Mapping[str, Telling]] = {
    "vanished": _named("Carte perdue, revenue aussitôt"),
    "mute": _named("Carte sans ATR"),
    "silent": _named("Échange en échec"),
    "flaky": _named("Contact jugé instable"),
}
NO_INCIDENT: Final = translate("Aucun incident depuis le démarrage.")
"""A reader's contacts, when every count is zero."""
_UPLOAD: Final[Mapping[str, str]] = {
    "idle": "au repos",
    "sending": "en cours",
    "waiting": "attend son prochain essai",
    "held": "suspendu par le centre",
    "stopped": "arrêté",
    "store_failed": "arrêté par la base de données",
}
_KEY_STORES: Final[Mapping[str, str]] = {"file": "un fichier", "tpm2": "la puce TPM 2.0"}
_SEALED_BY: Final[Mapping[str, str]] = {
    "systemd-creds": "systemd-creds",
    "tpm2": "la puce TPM 2.0",
    "nothing (mode 0600)": "rien (mode 0600)",
}
_DATABASE_KEY: Final[Mapping[str, str]] = {"sealed": "scellée", "plain (mode 0600)": "en clair (mode 0600)"}
_RENEWAL: Final[Mapping[str, str]] = {
    "not due": "pas encore à faire",
    "due": "à faire",
    "new keys not yet proven": "nouvelles clés reçues, pas encore prouvées",
}
_RENEWAL_FAILED: Final[Mapping[str, str]] = {
    "keys": "clés inutilisables",
    "disk": "disque",
    "network": "réseau",
    "answer": "réponse du serveur inutilisable",
    "refused": "refusé par le serveur",
    "expired": "certificat expiré, nouveau ticket nécessaire",
}

FACTS: Final[Mapping[str, Mapping[str, Telling]]] = {
    "contacts patient": _CONTACTS,
    "contacts professional": _CONTACTS,
    "card slot": {"reason": _named("Raison")},
    "ticket output": {"reason": _named("Raison")},
    "printer": {"reason": _named("Remarque")},
    "clock": {"clock_ahead_s": _clock, "reason": _named("Raison")},
    "journal": {
        "entries": _named("Entrées vérifiées"),
        "pruned": _named("dont effacées, leur délai passé"),
        "reason": _named("Raison"),
    },
    "outbox": {
        "pending": _named("Événements en attente"),
        "refused": _named("Événements refusés pour de bon"),
        "percent": _percent,
        "upload": _one_of("Envoi", _UPLOAD),
        "reason": _named("Raison"),
    },
    "keys": {
        "store": _one_of("Clés gardées par", _KEY_STORES),
        "sealed_by": _one_of("Secrets scellés par", _SEALED_BY),
        "database_key": _one_of("Clé de la base", _DATABASE_KEY),
        "generation": _named("Génération"),
        "certificate_until_s": _end_of_certificate,
        "renewal": _one_of("Renouvellement", _RENEWAL),
        "renewal_failed": _one_of("Dernier échec", _RENEWAL_FAILED),
    },
}
"""By part and fact; those of the signed documents are named after each document, see `DOCUMENTS`."""

DOCUMENTS: Final[Mapping[str, str]] = {
    "policy": translate("Réglages du site"),
    "quarantine": translate("Quarantaine"),
    "outage_calendar": translate("Calendrier des coupures"),
    "site_capabilities": translate("Services permis au site"),
    "contents": translate("Textes du site"),
    "allow_list": translate("Commandes de carte permises"),
    "unknown": translate("Document d'un type inconnu"),
}
"""By type; `…/fleet` is the one of all kiosks."""
_EVERY_KIOSK: Final = translate("{document} (toutes les bornes)")
DOCUMENT_STATES: Final[Mapping[str, str]] = {
    "": translate("{document} : version {value}"),
    "unreadable": translate("{document}, illisible : {value}"),
    "refused": translate("{document}, refus : {value}"),
    "withheld": translate("{document} : version {value} annoncée, jamais reçue"),
}
"""What follows the document's name in the name of the fact."""


def part_name(part: str) -> str:
    """The French name of a part."""
    return PARTS.get(part, part)


def fact_lines(part: str, facts: Sequence[tuple[str, str | int]], now: datetime) -> list[str]:
    """The facts of a part, one line each. `now`: wall time with its zone, for the days of dates."""
    if FACTS.get(part) is _CONTACTS and facts and not any(value for _, value in facts):
        return [NO_INCIDENT]
    return [_line(part, name, value, now) for name, value in facts]


def _line(part: str, name: str, value: str | int, now: datetime) -> str:
    if part == "documents":
        return _document_line(name, value)
    telling = FACTS.get(part, {}).get(name)
    return f"{name} : {value}" if telling is None else telling(value, now)


def _document_line(name: str, value: str | int) -> str:
    """`policy/fleet` = `3`, `quarantine` = `4 stop expired`, `policy refused` = `field: reason`, …"""
    scoped, _, state = name.partition(" ")
    kind, _, scope = scoped.partition("/")
    if kind not in DOCUMENTS or scope not in ("", "fleet") or state not in DOCUMENT_STATES:
        return f"{name} : {value}"
    document = _EVERY_KIOSK.format(document=DOCUMENTS[kind]) if scope else DOCUMENTS[kind]
    said = in_french(str(value)) if state else ", ".join(in_french(word) for word in str(value).split(" "))
    return DOCUMENT_STATES[state].format(document=document, value=said)


def _grouped(number: int) -> str:
    """« 812 000 », never on a line of its own."""
    return f"{NBSP}{number:,}".replace(",", NBSP)


def _span(seconds: int) -> str:
    """« 1 j 2 h 5 min », to the minute."""
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    told = [f"{number} {unit}" for number, unit in ((days, "j"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(told) or "0 min"
