"""Why something failed, in French, for the diagnostics page: the sentences that the parts of the kiosk give in English.

`{}` stands for what differs: numbers, names, codes. A sentence without an entry is shown as it is: never lost. Names of
PC/SC calls, of fields of a document and of files, status codes and numbers stay what they are.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from typing import Final

from kiosk.ui.texts import translate

_STORE: Final = {
    "wrong key, or the file is damaged": "clé fausse, ou fichier abîmé",
    "damaged content": "contenu abîmé",
    "damaged structure": "structure abîmée",
    "not encrypted": "non chiffré",
    "not a regular file": "n'est pas un fichier ordinaire",
    "missing or empty, beside a write-ahead log that has content": "absent ou vide, à côté d'un journal WAL non vide",
    "missing or empty, where there was a database: restore it, or set the kiosk up anew": (
        "absent ou vide, alors qu'il y avait une base : la restaurer, ou réinstaller la borne"
    ),
    "another process holds the file": "un autre programme tient le fichier",
    "no room left to write": "plus de place pour écrire",
    "cannot be opened": "ne s'ouvre pas",
    "read-only": "en lecture seule",
    "access denied": "accès refusé",
    "read or write error": "erreur de lecture ou d'écriture",
    "out of memory": "plus de mémoire",
    "closed": "fermée",
    "SQLite {} may corrupt a write-ahead log; 3.51.3 or later is needed": (
        "SQLite {} peut abîmer un journal WAL ; il faut 3.51.3 ou plus"
    ),
    "SQLite {} was withdrawn": "SQLite {} a été retiré par ses auteurs",
    "this file belongs to a newer version of the kiosk": "fichier d'une version plus récente de la borne",
    "{} expected, {} in force": "{} attendu, {} en vigueur",
    "the store did not open": "la base ne s'est pas ouverte",
    "no pseudonym without a store": "pas de pseudonyme sans base",
    "{} events wait": "{} événements en attente",
    "{} bytes wait": "{} octets en attente",
}
_JOURNAL: Final = {
    "entry {} is missing or out of order": "l'entrée {} manque, ou n'est pas à sa place",
    "entries after the noted end": "entrées après la fin notée",
    "content does not fit the chain": "contenu qui ne suit pas la chaîne",
    "cut at the end": "coupé à la fin",
    "{} entries are missing": "il manque {} entrées",
    "the noted end has another hash": "la fin notée a une autre empreinte",
    "it does not begin where its last pruning says": "ne commence pas où son dernier effacement le dit",
}
_KEYS: Final = {
    "missing, and there is a database that needs it": "absente, alors qu'une base en a besoin",
    "readable by others; mode 0600 expected": "lisible par d'autres ; mode 0600 attendu",
    "{} bytes expected": "{} octets attendus",
    "{} bytes expected, {} given": "{} octets attendus, {} donnés",
    "{} bytes expected, the file has {}": "{} octets attendus, le fichier en a {}",
    "{} and {} differ": "{} et {} diffèrent",
    "larger than {} bytes": "plus de {} octets",
    "gives back another secret": "rend un autre secret",
    "not a sealed secret": "n'est pas un secret scellé",
    "not sealed by a TPM": "pas scellé par une puce TPM",
    "not sealed by this kiosk": "pas scellé par cette borne",
    "sealed on another machine, or damaged": "scellé sur une autre machine, ou abîmé",
    "{} can be had only by the service or by root": "{} n'est lisible que par le service ou root",
    "systemd-creds has not answered within {} s": "systemd-creds n'a pas répondu en {} s",
    "systemd-creds cannot decrypt {} here": "systemd-creds ne peut déchiffrer {} ici",
    "file:, file:<absolute directory>, tpm2: or tpm2:<TCTI> expected": (
        "file:, file:<dossier absolu>, tpm2: ou tpm2:<TCTI> attendu"
    ),
    "tpm2-pytss is not installed": "tpm2-pytss n'est pas installé",
}
_READERS: Final = {
    "{} over its limit on {}": "{} : délai dépassé sur {}",
    "{} not among {} readers": "{} introuvable ; lecteurs vus :\u00a0{}",
    "another took its place": "un autre lecteur a pris sa place",
    "the service does not answer": "le service PC/SC ne répond pas",
    "readers.patient is not set": "readers.patient n'est pas réglé",
}
_PRINTER_AND_SLOTS: Final = {
    "fault": "erreur signalée",
    "offline": "hors ligne",
    "no port in the settings": "aucun port dans les réglages",
    "a card was left in the slot": "une carte est restée dans la fente",
    "a ticket was left in the output": "un ticket est resté dans la sortie",
}
_CHANNEL: Final = {
    "connection refused": "connexion refusée",
    "server certificate refused": "certificat du serveur refusé",
    "certificate has expired": "il a expiré",
    "certificate is not yet valid": "pas encore valable",
    "self-signed certificate": "signé par lui-même",
    "self-signed certificate in certificate chain": "signé par une autorité inconnue",
    "unable to get local issuer certificate": "signé par une autorité inconnue",
    "no synchronous stream": "flux illisible",
    "answer longer than {} bytes": "réponse de plus de {} octets",
    "ConnectTimeout": "connexion : délai dépassé",
    "ConnectError": "connexion impossible : adresse, DNS ou câble",
    "ReadTimeout": "réponse : délai dépassé",
    "ReadError": "connexion coupée avant la réponse",
    "WriteTimeout": "envoi : délai dépassé",
    "WriteError": "connexion coupée pendant l'envoi",
    "RemoteProtocolError": "réponse qui n'est pas du HTTP",
    "refused again after taking over the backend's time": "refusé encore, à l'heure même du serveur",
    "the backend's time is before one that it has signed earlier": "l'heure du serveur a reculé",
    "no signed time yet": "aucune heure signée reçue",
    "the machine's clock is not the backend's": "l'horloge n'est pas à l'heure du serveur",
    "the TLS certificate has expired": "certificat TLS de la borne expiré",
    "the TPM does not sign": "la puce TPM ne signe pas",
    "no usable identity": "aucune identité utilisable",
    "unsigned 401: the backend does not know this key, or it is not our backend": (
        "401 sans signature : clé inconnue du serveur, ou ce n'est pas le bon serveur"
    ),
}
_REFUSALS: Final = {
    "time_skew": "heure refusée",
    "replay": "message déjà vu",
    "key_state": "clé refusée",
    "quarantined": "borne mise en quarantaine",
    "capability": "service non permis à cette borne",
    "fork": "deux suites d'envois différentes : base copiée ou restaurée",
    "stale_seq": "numéro d'envoi dépassé",
    "gone": "conversation oubliée",
    "too_large": "message trop long",
    "schema": "message hors schéma",
    "idem_conflict": "même envoi, autre contenu",
    "internal": "erreur du serveur",
    "busy": "serveur occupé",
    "service_closed": "centre fermé",
}
_UPLOAD: Final = {
    "rolled_back": "le serveur a reçu des envois que cette base ne connaît pas : base restaurée",
    "numbering": "demande au serveur où reprendre",
}
_PROOFS: Final = {
    "header_limit": "en-têtes trop longs",
    "method": "autre méthode HTTP",
    "path": "autre chemin",
    "query": "requête inattendue",
    "host": "autre serveur",
    "forbidden_field": "en-tête interdit",
    "field_bytes": "en-tête illisible",
    "field_missing": "en-tête absent",
    "field_duplicate": "en-tête en double",
    "field_form": "en-tête mal formé",
    "lifetime": "durée de vie refusée",
    "key_unknown": "clé du serveur inconnue",
    "alg": "autre algorithme",
    "tls_identity": "autre identité TLS",
    "length": "autre longueur",
    "digest": "contenu modifié",
    "signature": "signature fausse",
    "status": "statut inattendu",
    "stale": "réponse ancienne",
}
"""What is wrong with an answer that is not proven."""
_LEVELS: Final = {
    "none": "rien d'arrêté",
    "no_code": "codes provisoires arrêtés",
    "no_relay": "mises à jour et codes arrêtés",
    "report_only": "mises à jour et codes arrêtés, rapports seuls",
    "stop": "borne arrêtée",
    "expired": "date dépassée",
}
_DOCUMENTS: Final = {
    "no keys are known for it: enrol again": "aucune clé connue pour ce type : enrôler à nouveau",
    "unknown to this application: ignored": "inconnu de ce logiciel, ignoré",
    "another kiosk's": "celle d'une autre borne",
    "below {}, the last accepted": "inférieure à {}, la dernière acceptée",
    "{} again, with another content": "{} de nouveau, avec un autre contenu",
    "not reached yet": "date pas encore atteinte",
    "has passed": "date dépassée",
    "above {}, this application": "plus récente que ce logiciel ({})",
    "not what was accepted": "ce n'est pas ce qui avait été accepté",
    "{} distinct keys, {} needed": "{} clés distinctes, il en faut {}",
    "not a key of this role": "pas une clé de ce rôle",
    "does not fit the payload": "ne correspond pas au contenu",
}
_FIELDS: Final = {
    "{} expected": "{} attendu",
    "missing": "absent",
    "unknown field": "champ inconnu",
    "a text expected": "texte attendu",
    "an object expected": "objet attendu",
    "true or false expected": "vrai ou faux attendu",
    "one of {} expected": "attendu parmi {}",
    "the form {} expected": "forme {} attendue",
    "at most {} characters expected": "{} caractères au plus",
    "{} to {} bytes in lower-case hex expected": "{} à {} octets en hexadécimal minuscule attendus",
    "a whole number from {} to {} expected": "nombre entier de {} à {} attendu",
    "a whole number from 1 to 10 expected": "nombre entier de 1 à 10 attendu",
    "a number of seconds from 1 to 3600 expected": "nombre de secondes de 1 à 3600 attendu",
    "a list of {} to {} expected": "liste de {} à {} éléments attendue",
    "a text of at most 200 printable characters expected": "texte de 200 caractères imprimables au plus attendu",
    "1 to 12 letters, digits or hyphens expected": "1 à 12 lettres, chiffres ou traits d'union attendus",
    "a phone number has 10 digits, or 4": "un numéro de téléphone a 10 chiffres, ou 4",
    "base64 expected": "base64 attendu",
    "after `from` expected": "doit suivre « from »",
    "one of `texts` expected": "absent de « texts »",
    "one of `web_domains` expected": "absent de « web_domains »",
    "only web addresses of `web_domains` expected": "adresse web absente de « web_domains »",
    "only instructions of the built-in list expected": "instruction hors de la liste du logiciel",
    "topics among {} expected": "sujets attendus parmi {}",
    "printable characters expected": "caractères imprimables attendus",
    "braces are not allowed": "accolades interdites",
    "an id of lower-case letters expected": "identifiant en minuscules attendu",
    "an id of its own expected": "identifiant déjà pris",
    "not UTF-8": "pas de l'UTF-8",
    "not JSON": "pas du JSON",
    "not UTF-8 at {}": "pas de l'UTF-8, position {}",
    "not JSON at {}": "pas du JSON, position {}",
    "an object expected at {}": "objet attendu, position {}",
    "deeper than {} levels at {}": "plus de {} niveaux, position {}",
    "NaN or Infinity": "NaN ou Infinity",
    "a duplicate key": "clé en double",
    "a number out of range": "nombre hors limites",
    "a lone surrogate": "demi-caractère Unicode isolé",
    "longer than {} bytes": "plus de {} octets",
    "deeper than {} levels": "plus de {} niveaux",
}
_WHERE: Final = {
    "key": "clé de la base",
    "seal": "sceau",
    "key_store": "coffre des clés",
    "file": "fichier",
    "path": "chemin",
    "lock": "verrou",
    "disk": "disque",
    "disk_space": "place sur le disque",
    "store": "base",
    "sqlite_version": "version de SQLite",
    "user_version": "version de la base",
    "status {}": "statut {}",
    "TLS": "TLS",
    "TPM": "puce TPM",
}
"""What a reason is about: stands before a colon."""
_SYSTEM: Final = {
    os.strerror(number): words
    for number, words in {
        errno.ENOENT: "n'existe pas",
        errno.EACCES: "accès refusé",
        errno.EPERM: "opération interdite",
        errno.EROFS: "disque en lecture seule",
        errno.ENOSPC: "plus de place sur le disque",
        errno.EDQUOT: "quota du disque atteint",
        errno.EIO: "erreur d'entrée-sortie",
        errno.ENOTDIR: "n'est pas un dossier",
        errno.EISDIR: "est un dossier",
    }.items()
}
"""What the operating system says."""

_WITH_A_NAME: Final = {f"{word} {{}}": f"{french} : {{}}" for word, french in (_REFUSALS | _PROOFS).items()}
"""A refusal and the backend's code for it; what is wrong with an answer and the header field concerned."""

REASONS: Final[Mapping[str, str]] = {
    english: translate(french)
    for table in (
        _WITH_A_NAME, _PROOFS, _REFUSALS, _UPLOAD, _WHERE, _STORE, _JOURNAL, _KEYS, _READERS, _PRINTER_AND_SLOTS,
        _CHANNEL, _LEVELS, _DOCUMENTS, _FIELDS, _SYSTEM,
    )
    for english, french in table.items()
}  # fmt: skip
"""Every sentence, English to French; `{}` for `{}`, in the same order."""


def _form(english: str) -> re.Pattern[str]:
    """What differs holds no colon: what stands before one is told apart first."""
    return re.compile("((?:(?!: ).)+)".join(re.escape(piece) for piece in english.split("{}")), re.DOTALL)


_FORMS: Final = tuple(
    (_form(english), REASONS[english])
    for english in sorted(REASONS, key=len, reverse=True)  # the more it says, the better it fits
    if "{}" in english
)


_LONGEST_CHARS: Final = 400
_MOST_COLONS: Final = 4


def in_french(text: str) -> str:
    """The same in French, as far as it is known; `where: why` becomes « où – pourquoi »."""
    if len(text) > _LONGEST_CHARS:
        return text
    *places, last = text.split(": ", _MOST_COLONS)
    for first in range(len(places) + 1):
        why = _known(": ".join((*places[first:], last)))
        if why is not None:
            return _joined(places[:first], why)
    return _joined(places, last) if any(map(_known, places)) else text


def _joined(places: list[str], why: str) -> str:
    return " – ".join((*(_known(place) or place for place in places), why))


def _known(text: str) -> str | None:
    if text in REASONS:
        return REASONS[text]
    for form, french in _FORMS:
        if (match := form.fullmatch(text)) is not None:
            return french.format(*match.groups())
    return None
