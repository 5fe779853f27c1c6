"""What a member reads when something does not work: four answers a page, French, plain, neutral.

What happened; is my card safe (what the machine knows, then the rights); what do I do; whom do I call. No page says
that a card was not modified: only the machine can know (`SAFETY`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kiosk.visit.failures import CardSafety, MemberPage

SAFETY: Final[Mapping[CardSafety, str]] = {
    CardSafety.UNCHANGED: "Votre carte n'a pas été modifiée.",
    CardSafety.UPDATED: "Votre carte est à jour.",
    CardSafety.PARTLY: "Une partie de la mise à jour est faite. Votre carte reste utilisable.",
    CardSafety.UNFINISHED: "Votre carte n'est pas abîmée, mais sa mise à jour n'est pas terminée : "
    "elle peut être refusée en attendant.",
    CardSafety.UNKNOWN: "Nous ne savons pas encore si la mise à jour est complète.",
    CardSafety.NOT_CONCERNED: "Votre carte n'est pas concernée.",
}


class Actor(StrEnum):
    """Who acts first when a failure is met."""

    MEMBER = "the member"
    TECHNICIAN = "a technician"
    CENTRE = "the caisse or its centre"
    NOBODY = "nobody: it ends by itself"


@dataclass(frozen=True, slots=True)
class PageText:
    """Three of the four answers (the fourth, whom to call, is the same everywhere: `CALL`).

    what: what happened. rights: said after what is known of the card (`SAFETY`). todo: what to do now.
    picture: name of a pictogram of the screen. Placeholders: {phone} {hours} {until} {after} {tries} {reason}.
    acts: who can end this; what a technician does is in the catalogue, by cause.
    """

    what: str
    rights: str
    todo: str
    picture: str
    acts: Actor = Actor.MEMBER


CALL: Final = "Besoin d'aide ? {place}{phone}, {hours}."
"""Last line of every failure page; {place} is empty or « l'accueil, ou »."""

_RIGHTS: Final = "Cela ne change pas vos droits ni vos remboursements."

PAGES: Final[Mapping[MemberPage, PageText]] = {
    MemberPage.WRONG_WAY: PageText(
        "Nous ne lisons pas votre carte.",
        _RIGHTS,
        "Retirez-la et retournez-la, comme sur l'image : la puce au-dessus, du côté de la borne.",
        "card_turn",
    ),
    MemberPage.MUTE: PageText(
        "Votre carte ne répond pas.",
        _RIGHTS,
        "Retirez-la, essuyez la puce avec un tissu sec, remettez-la. Si cela recommence, appelez.",
        "card_wipe",
    ),
    MemberPage.DAMAGED: PageText(
        "La carte ne répond toujours pas.",
        _RIGHTS,
        "Elle est peut-être abîmée. Essayez-la dans une pharmacie. Si elle n'y marche pas non plus, appelez.",
        "call",
    ),
    MemberPage.CUT: PageText(
        "La lecture a été coupée.",
        _RIGHTS,
        "Retirez votre carte et remettez-la. Si cela recommence, appelez.",
        "card_insert",
    ),
    MemberPage.CONTACT: PageText(
        "Le contact avec votre carte se coupe.",
        _RIGHTS,
        "Retirez-la, essuyez la puce avec un tissu sec, puis remettez-la bien à fond. Si cela recommence, appelez.",
        "card_wipe",
    ),
    MemberPage.UNSUITED: PageText(
        "Ce lecteur ne lit pas cette carte.",
        _RIGHTS,
        "Reprenez-la. Essayez dans une autre borne, ou appelez.",
        "card_other",
        Actor.TECHNICIAN,
    ),
    MemberPage.REMOVED: PageText(
        "La carte a été retirée trop tôt.",
        _RIGHTS,
        "Remettez-la et laissez-la dans le lecteur.",
        "card_insert",
    ),
    MemberPage.UNREADABLE: PageText(
        "Nous lisons mal votre carte.",
        _RIGHTS,
        "Retirez-la, essuyez la puce, remettez-la. Si cela recommence, appelez.",
        "card_wipe",
    ),
    MemberPage.BANK_CARD: PageText(
        "C'est une carte bancaire.",
        "Rien n'a été lu sur cette carte.",
        "Reprenez-la et insérez votre carte Vitale. La borne est gratuite.",
        "card_other",
    ),
    MemberPage.OTHER_CARD: PageText(
        "Ce n'est pas une carte Vitale.",
        "Rien n'a été lu sur cette carte.",
        "Reprenez-la et insérez votre carte Vitale.",
        "card_other",
    ),
    MemberPage.STAFF_CARD: PageText(
        "C'est une carte professionnelle.",
        "Ce lecteur est celui des cartes Vitale.",
        "Placez-la dans le lecteur des professionnels.",
        "card_other",
    ),
    MemberPage.OTHER_SLOT: PageText(
        "Ce lecteur est celui des professionnels.",
        "Rien n'a été lu sur cette carte.",
        "Reprenez-la. La carte Vitale va dans l'autre lecteur.",
        "card_other",
    ),
    MemberPage.OLD_CARD: PageText(
        "Cette borne ne lit pas les cartes Vitale sans photo.",
        _RIGHTS,
        "Son numéro est imprimé au dos, en haut à gauche. Pour la mettre à jour, allez dans une agence, une pharmacie "
        "ou un établissement de santé.",
        "card_vitale1",
    ),
    MemberPage.REFUSED: PageText(
        "Cette carte ne marche pas ici.",
        "Cela ne veut pas dire que vos droits sont fermés.",
        "Reprenez votre carte et appelez : quelqu'un vous dira quoi faire.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.REPLACE: PageText(
        "Votre carte Vitale doit être remplacée.",
        _RIGHTS,
        "Reprenez-la et appelez pour demander une nouvelle carte.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.NOT_KNOWN: PageText(
        "Le centre de mise à jour ne connaît pas cette carte.",
        _RIGHTS,
        "Reprenez-la et appelez : quelqu'un vous dira où la mettre à jour.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.CLOSED: PageText(
        "La mise à jour est fermée pour votre caisse jusqu'{until}.",
        _RIGHTS,
        "Revenez après {after}. Le reste de la borne fonctionne.",
        "clock",
        Actor.NOBODY,
    ),
    MemberPage.NETWORK: PageText(
        "La borne ne joint pas le service.",
        _RIGHTS,
        "Réessayez dans quelques minutes, ou dans une autre borne.",
        "network",
        Actor.TECHNICIAN,
    ),
    MemberPage.CLOCK: PageText(
        "L'heure de la borne est fausse.",
        _RIGHTS,
        "Réessayez dans quelques minutes. Si cela dure, prévenez l'accueil.",
        "clock",
        Actor.TECHNICIAN,
    ),
    MemberPage.UPDATE_FAILED: PageText(
        "La mise à jour n'a pas pu se faire.",
        _RIGHTS,
        "Réessayez une fois. Si cela recommence, appelez.",
        "update",
    ),
    MemberPage.UPDATE_STOPPED: PageText(
        "La mise à jour s'est arrêtée avant la fin.",
        _RIGHTS,
        "Retirez votre carte puis remettez-la, ici ou dans une autre borne, pour terminer.",
        "card_insert",
    ),
    MemberPage.UPDATE_OPEN: PageText(
        "Une mise à jour reste à finir.",
        _RIGHTS,
        "Cette borne ne peut pas la finir. Appelez pour la faire relancer.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.BIRTH_DATE: PageText(
        "La date ne correspond pas à la carte.",
        "Rien n'a été affiché.",
        "Vérifiez la date de naissance du titulaire de la carte. Essais restants : {tries}.",
        "question",
    ),
    MemberPage.POSTCODE: PageText(
        "Le code postal ne correspond pas au dossier.",
        "Rien n'a été affiché.",
        "Vérifiez-le. Si vous avez déménagé, essayez celui de l'ancienne adresse. Essais restants : {tries}.",
        "question",
    ),
    MemberPage.TRIES: PageText(
        "Il ne reste plus d'essai aujourd'hui pour cette carte.",
        _RIGHTS,
        "Adressez-vous à l'accueil, ou appelez.",
        "call",
    ),
    MemberPage.NO_CODE_HERE: PageText(
        "Cette borne ne donne pas de code provisoire.",
        _RIGHTS,
        "Vous pouvez l'obtenir en agence ou par téléphone.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.CODE_REFUSED: PageText(
        "Aucun code provisoire n'a été donné.",
        _RIGHTS,
        "Vous pouvez l'obtenir en agence ou par téléphone.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.NOT_ELIGIBLE: PageText(
        "Le compte ameli ne peut pas être créé maintenant : {reason}.",
        "Vos remboursements continuent.",
        "Essayez avec FranceConnect, ou adressez-vous à votre agence.",
        "call",
        Actor.CENTRE,
    ),
    MemberPage.BADGE_PIN: PageText(
        "Ce n'est pas le code de ce badge.",
        "Rien n'a été affiché.",
        "Recommencez. Essais restants : {tries}.",
        "question",
        Actor.TECHNICIAN,
    ),
    MemberPage.BADGE_BLOCKED: PageText(
        "Le code de ce badge est bloqué.",
        "Rien n'a été affiché.",
        "Reprenez le badge et faites-le débloquer.",
        "call",
        Actor.TECHNICIAN,
    ),
    MemberPage.BADGE_REFUSED: PageText(
        "Ce badge n'est pas reconnu sur cette borne.",
        "Rien n'a été affiché.",
        "Reprenez le badge. Son émetteur peut vous aider.",
        "card_other",
        Actor.TECHNICIAN,
    ),
    MemberPage.BADGE_GONE: PageText(
        "Le badge a été retiré.",
        "Le diagnostic est fermé.",
        "Pour continuer le diagnostic, remettez le badge.",
        "card_insert",
        Actor.TECHNICIAN,
    ),
    MemberPage.TICKET_FAILED: PageText(
        "Le ticket n'est pas sorti.",
        "Vos droits non plus.",
        "Touchez « Revoir à l'écran » et notez ce qui est affiché.",
        "ticket",
        Actor.TECHNICIAN,
    ),
    MemberPage.TICKET_UNKNOWN: PageText(
        "Le ticket est peut-être sorti.",
        "Vos droits non plus.",
        "Regardez à droite. Sinon, touchez « Revoir à l'écran ».",
        "ticket",
    ),
    MemberPage.READER: PageText(
        "Le lecteur de cette borne ne marche pas.",
        _RIGHTS,
        "Retirez votre carte si elle est dans le lecteur. Prévenez l'accueil, ou allez à une autre borne.",
        "reader",
        Actor.TECHNICIAN,
    ),
    MemberPage.SUSPENDED: PageText(
        "Ce service est suspendu sur cette borne.",
        _RIGHTS,
        "Allez à une autre borne, ou appelez.",
        "closed",
        Actor.TECHNICIAN,
    ),
    MemberPage.STORAGE: PageText(
        "La borne ne peut plus enregistrer ce qu'elle fait. Elle s'est arrêtée pour ne rien perdre.",
        _RIGHTS,
        "Retirez votre carte. Allez à une autre borne, ou appelez.",
        "closed",
        Actor.TECHNICIAN,
    ),
    MemberPage.UNKNOWN: PageText(
        "La borne a un problème.",
        _RIGHTS,
        "Retirez votre carte. Prévenez l'accueil, ou appelez.",
        "closed",
        Actor.TECHNICIAN,
    ),
}
