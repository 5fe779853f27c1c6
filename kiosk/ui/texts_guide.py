"""The guide to the ameli account, six pages (domain reference, requirements 14 to 41). Shown with or without a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kiosk.ui.texts import translate
from kiosk.ui.views import Icon


@dataclass(frozen=True, slots=True)
class GuideText:
    """One page: heading, one sentence, lines (pictogram, title, text), a note; {phone}, {hours}, {site} filled in."""

    heading: str
    lead: str
    lines: tuple[tuple[Icon, str, str], ...]
    note: str = ""


GUIDE: Final = (
    GuideText(
        translate("D'abord, la carte"),
        translate("Mettez à jour la carte Vitale. Sans mise à jour, le compte ne peut pas être créé."),
        (
            (Icon.CARD, translate("Ici"), translate("Insérez la carte dans cette borne.")),
            (
                Icon.PLACE,
                translate("Ou près de chez vous"),
                translate("Pharmacie, laboratoire, établissement de santé, agence MGEN."),
            ),
            (Icon.SHIELD, translate("C'est gratuit"), translate("À refaire au moins une fois par an.")),
        ),
    ),
    GuideText(
        translate("Préparez ces informations"),
        translate("Le site vous les demandera. La borne ne les garde pas."),
        (
            (Icon.PERSON, translate("Votre nom"), translate("De naissance ou d'usage.")),
            (Icon.NUMBER, translate("Le numéro de sécurité sociale"), translate("Les 13 premiers chiffres.")),
            (Icon.CALENDAR, translate("Votre date de naissance"), ""),
            (
                Icon.PLACE,
                translate("Votre code postal"),
                translate("Refusé ? Essayez celui de votre ancienne adresse."),
            ),
        ),
    ),
    GuideText(
        translate("Préparez aussi ces chiffres"),
        translate("Ils prouvent que c'est bien vous."),
        (
            (
                Icon.CARD,
                translate("Les 11 derniers chiffres du numéro de série"),
                translate("Cette borne peut les afficher. Ils sont aussi imprimés sur la carte."),
            ),
            (
                Icon.BANK,
                translate("Les 7 derniers caractères de votre IBAN"),
                translate("Sur votre RIB français. Chiffres ou lettres."),
            ),
            (Icon.MAIL, translate("Une adresse e-mail"), translate("Obligatoire. Une adresse par compte.")),
        ),
        translate("Cette borne ne vous demandera jamais votre IBAN, votre e-mail ni un mot de passe."),
    ),
    GuideText(
        translate("Allez sur {site}"),
        translate("Depuis un ordinateur ou un téléphone, chez vous."),
        (
            (Icon.GLOBE, translate("Tapez l'adresse vous-même"), translate("Jamais par un lien reçu.")),
            (Icon.EDIT, translate("Choisissez « Créer mon compte »"), translate("Et remplissez le formulaire.")),
            (
                Icon.LOCK,
                translate("Choisissez un mot de passe"),
                translate(
                    "De 8 à 50 signes : une majuscule, une minuscule, un chiffre ou un signe. Sans date de naissance."
                ),
            ),
        ),
    ),
    GuideText(
        translate("Ouvrez l'e-mail d'activation"),
        translate("Le compte est créé quand vous touchez le lien de cet e-mail."),
        (
            (Icon.CLOCK, translate("Vous avez 7 jours"), translate("Ensuite, le lien ne marche plus.")),
            (Icon.MAIL, translate("Jusqu'à 21 jours"), translate("Vous pouvez demander un nouvel e-mail.")),
            (Icon.PLACE, translate("Plus tard"), translate("Adressez-vous à votre agence.")),
        ),
        translate("Rien reçu ? Vérifiez l'adresse et les courriers indésirables."),
    ),
    GuideText(
        translate("Si cela ne marche pas"),
        translate("Il reste d'autres chemins."),
        (
            (
                Icon.KEY,
                translate("Un code provisoire, ou un code borne"),
                translate("Sur le site : les 13 chiffres du numéro de sécurité sociale, puis le code."),
            ),
            (Icon.GLOBE, translate("FranceConnect"), translate("Avec un autre compte public que vous avez déjà.")),
            (Icon.PHONE, translate("L'agence ou le téléphone"), translate("{phone}, {hours}.")),
        ),
        translate("Sans compte, vos remboursements continuent. Les relevés arrivent par courrier."),
    ),
)
