"""What a technician reads on the diagnostics page, in French: what a cause means, and what to do about it.

The same as `kiosk.visit.failures.CATALOGUE` says in English to `diagnose` and to the documentation, one entry a cause.
Rules: short, exact, field terms; an entry without an action ends by itself or is not the technician's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kiosk.ui.texts import translate
from kiosk.visit.failures import Cause


@dataclass(frozen=True, slots=True)
class Advice:
    """What a cause means; what the technician does: empty when there is nothing to do."""

    meaning: str
    action: str = ""


def _advice(meaning: str, action: str = "") -> Advice:
    return Advice(translate(meaning), translate(action))


ADVICE: Final[Mapping[Cause, Advice]] = {
    # PC/SC service and readers
    Cause.SERVICE_LOST: _advice("Service PC/SC absent ou arrêté.", "Revient seul ; sinon, relancer pcscd."),
    Cause.ACCESS_DENIED: _advice(
        "Le service PC/SC refuse ce compte.", "Installer la règle polkit ; vérifier les droits du socket."
    ),
    Cause.NO_READER: _advice(
        "Le service tourne, mais le lecteur de cette fente n'est pas branché ou pas désigné.",
        "Vérifier le câble et les réglages.",
    ),
    Cause.READER_LOST: _advice("Lecteur disparu en service.", "Revient seul ; vérifier le câble."),
    Cause.READER_HUNG: _advice(
        "Un appel au lecteur a dépassé son délai.",
        "Revient seul : si le pilote garde l'appel, pcscd est relancé ; sinon, lire le journal système.",
    ),
    Cause.HELD_BY_OTHER: _advice("Un autre programme tient la carte en exclusivité.", "Arrêter ce programme."),
    Cause.PROTOCOL_MISMATCH: _advice(
        "Lecteur et carte n'ont pas de protocole commun.", "Essayer une autre carte ; vérifier le modèle du lecteur."
    ),
    Cause.READER_UNSEEN: _advice(
        "Un lecteur USB est branché, PC/SC ne le voit pas : pilote absent ou en échec.",
        "Appareil et raison ci-dessous : installer le pilote ou changer de modèle ; sinon, rebrancher.",
    ),
    Cause.PCSC_UNKNOWN: _advice("Le service PC/SC a rendu un code non classé.", "Relever le code ci-dessous."),
    # the card
    Cause.CARD_MUTE: _advice(
        "Pas d'ATR : carte à l'envers, sale ou morte.", "Rien : une seconde fois dans la minute, c'est C-06."
    ),
    Cause.CARD_REMOVED: _advice("Carte retirée pendant un échange."),
    Cause.CARD_RESET: _advice(
        "Un autre programme a réinitialisé la carte.", "Remettre la carte ; arrêter ce programme."
    ),
    Cause.CARD_SILENT: _advice("Carte présente, échange en échec.", "Remettre la carte ; nettoyer les contacts."),
    Cause.CARD_MALFORMED: _advice("Un fichier de la carte n'est pas conforme.", "Fichier et raison ci-dessous."),
    Cause.CARD_DAMAGED: _advice(
        "Pas d'ATR deux fois de suite en une minute, avec cette carte ou une autre.",
        "Essayer une carte sûre : muette aussi, nettoyer ou changer le lecteur.",
    ),
    Cause.CARD_DIRTY: _advice(
        "Carte perdue et revenue aussitôt, trois fois de suite : contacts sales, carte ou lecteur.",
        "Essuyer la carte ; si une carte sûre fait de même, nettoyer ou changer le lecteur.",
    ),
    Cause.CARD_BANK: _advice("L'ATR est celui d'une carte bancaire."),
    Cause.CARD_OTHER: _advice("Ni l'ATR ni le SELECT d'une carte Vitale."),
    Cause.CARD_STAFF: _advice("Carte professionnelle dans la fente des assurés."),
    Cause.CARD_VITALE_1: _advice("Vitale 1, reconnue à l'ATR : ses commandes ne sont pas publiques."),
    Cause.CARD_MISPLACED: _advice("Carte Vitale, ou autre carte étrangère, dans la fente des professionnels."),
    Cause.CARD_REFUSED: _advice("Carte en opposition au centre.", "Rien : l'assuré appelle."),
    Cause.CARD_REPLACE: _advice("Le centre demande le remplacement de la carte.", "Rien : l'assuré appelle."),
    Cause.CARD_UNKNOWN: _advice("Carte inconnue du centre (autre émetteur).", "Rien : l'assuré appelle."),
    Cause.CARD_TORN: _advice(
        "Carte marquée inachevée, mais le centre n'a pas de mise à jour pour la terminer.",
        "Rien : l'assuré appelle ; le centre doit redemander la mise à jour.",
    ),
    # channel and update
    Cause.NETWORK: _advice(
        "Pas de connexion, TLS refusé ou délai dépassé : issue inconnue.",
        "Nouvel essai automatique ; vérifier le réseau et les dates des certificats.",
    ),
    Cause.UNSIGNED_ANSWER: _advice(
        "Réponse sans signature valable : son corps n'a pas été lu.", "Chercher un proxy sur le chemin."
    ),
    Cause.KIOSK_REFUSED: _advice(
        "Le serveur refuse la clé ou l'état de cette borne.", "Raison ci-dessous ; enrôler à nouveau si demandé."
    ),
    Cause.BAD_ANSWER: _advice(
        "Réponse signée, mais hors protocole.", "Champ en cause ci-dessous ; comparer les versions."
    ),
    Cause.SERVICE_CLOSED: _advice("Centre fermé pour cette caisse.", "Rien : il rouvre seul."),
    Cause.CLOCK_WRONG: _advice(
        "Horloge trop fausse : TLS impossible, ou aucune heure signée reçue.",
        "Régler l'horloge ; si elle était juste, vérifier l'horloge et le certificat du serveur.",
    ),
    Cause.NOT_ENROLLED: _advice("La borne n'a pas de clé ou pas de certificat.", "Lancer kiosk enrol avec un ticket."),
    Cause.APDU_REFUSED: _advice(
        "Une commande du centre est hors de la liste permise.", "Signaler : le paquet n'a pas été exécuté."
    ),
    Cause.PACKAGE_REFUSED: _advice(
        "Paquet en retard, en désordre ou d'une autre conversation.", "Réessayer ; signaler si cela dure."
    ),
    Cause.CONVERSATION_EXPIRED: _advice("La conversation de mise à jour a expiré.", "Recommencer."),
    Cause.UNEXPECTED_STATUS: _advice(
        "La carte a rendu un mot d'état que le centre n'attendait pas.",
        "Le centre décide ; mot d'état ci-dessous.",
    ),
    Cause.UPDATE_IMPOSSIBLE: _advice("Le centre a clos la mise à jour : impossible.", "Code du centre ci-dessous."),
    # the member's answers
    Cause.BIRTH_DATE_WRONG: _advice("La date de naissance tapée n'est pas celle de la carte."),
    Cause.POSTCODE_WRONG: _advice("Le centre ne connaît pas ce code postal pour la carte."),
    Cause.TRIES_EXHAUSTED: _advice(
        "Plus aucun essai d'identification.", "Rien avant demain, sauf carte professionnelle."
    ),
    Cause.CODE_NOT_HERE: _advice(
        "La politique du site n'autorise pas les codes.", "La faire changer si elle devrait les autoriser."
    ),
    Cause.CODE_REFUSED: _advice("Le centre a refusé le code.", "Raison ci-dessous."),
    Cause.NOT_ELIGIBLE: _advice("Selon le centre, le compte ne peut pas encore être créé."),
    # a technician's badge
    Cause.PIN_WRONG: _advice("Le badge a refusé le code.", "Réessayer tant que le badge a des essais."),
    Cause.PIN_BLOCKED: _advice("Le code du badge est bloqué.", "Faire débloquer ou remplacer le badge."),
    Cause.BADGE_UNPROVEN: _advice(
        "Le badge ne prouve pas qu'il est celui d'un technicien : certificat, dates, rôle, signature ou réponse.",
        "Raison ci-dessous.",
    ),
    Cause.BADGE_NO_AUTHORITY: _advice(
        "Aucun certificat utilisable de l'autorité des badges : aucun badge ne peut être vérifié.",
        "Régler staff.authority_file ; raison ci-dessous.",
    ),
    Cause.BADGE_WITHDRAWN: _advice("Badge retiré, ou son lecteur perdu, pendant le diagnostic."),
    # printer
    Cause.PRINTER_SILENT: _advice("L'imprimante ne répond pas.", "Vérifier l'alimentation et le câble."),
    Cause.PRINTER_PAPER: _advice("Fin de papier.", "Mettre un rouleau neuf."),
    Cause.PRINTER_COVER: _advice("Capot ouvert.", "Fermer le capot."),
    Cause.PRINTER_FAULT: _advice(
        "Imprimante hors ligne, ou erreur sans précision.", "Chercher un bourrage ; éteindre, rallumer."
    ),
    Cause.TICKET_UNPROVEN: _advice(
        "Données envoyées, jamais confirmées par l'imprimante.", "Chercher le ticket ; vérifier le câble."
    ),
    Cause.PRINTER_CUTTER: _advice("Massicot bloqué.", "Ouvrir le capot, dégager le massicot, éteindre, rallumer."),
    Cause.PRINTER_HEAD: _advice(
        "Tête d'impression levée ou trop chaude.", "Fermer la tête ; trop chaude, elle revient seule."
    ),
    # the kiosk itself
    Cause.STORE_FAILED: _advice(
        "La base ne s'ouvre pas, ou une écriture a échoué.", "Raison ci-dessous ; ne jamais effacer le fichier."
    ),
    Cause.STORE_FULL: _advice("La file d'envoi a atteint son quota.", "Rétablir le réseau pour qu'elle se vide."),
    Cause.QUARANTINED: _advice(
        "Un ordre signé a arrêté cette borne, ou une partie de ses services.", "Seul l'exploitant le lève."
    ),
    Cause.INTERNAL: _advice("Une partie du programme a échoué de façon imprévue.", "Envoyer le rapport d'assistance."),
}
