"""What a ticket says, in French, marked for extraction like the screen's texts. Same rules: short, true, no jargon.

True of the site's login page: it asks for the first 13 digits of the NIR and for the personal code or the provisional
one of 4 digits (domain reference, rows 24–26); of its account form: the 11 last digits of the card's serial number and
the 7 last characters of the IBAN (row 21).
"""

from __future__ import annotations

from typing import Final

from kiosk.ui.texts import translate

DUPLICATE: Final = translate("DUPLICATA")  # top, on every copy after the first

CODE_TITLE: Final = translate("Votre code provisoire")
CODE_PURPOSE: Final = translate("pour ouvrir votre compte ameli")
CODE_UNTIL: Final = translate("Jusqu'à {hour}")  # under the digits, large
CODE_UNTIL_DAY: Final = translate("le {day}")
CODE_ONCE: Final = translate("Il sert une seule fois.")
CODE_STEPS: Final = (
    translate("Sur Internet, tapez l'adresse **{site}**"),
    translate("Tapez les **13 premiers chiffres** de votre numéro de sécurité sociale."),
    translate("Tapez **ce code**, à la place du mot de passe."),
)

SERIAL_TITLE: Final = translate("Numéro de série")
SERIAL_PURPOSE: Final = translate("de votre carte Vitale")
SERIAL_ASKED: Final = translate("Les 11 chiffres demandés")  # label of the boxes
SERIAL_ASKED_8_TO_13: Final = translate("Les chiffres demandés")  # the number of a card without photo
SERIAL_LAST_ON_CARD: Final = translate("Le dernier chiffre est à lire sur votre carte.")  # the chip holds 20
SERIAL_STEPS: Final = (
    translate("Sur Internet, tapez l'adresse **{site}**"),
    translate("Choisissez « Créer mon compte »."),
    translate("Tapez ces chiffres quand le site demande le **numéro de série**."),
)

NEXT: Final = translate("Que faire maintenant ?")  # above the three steps
SECRET: Final = translate("Ne le donnez à personne")  # black band
SECRET_REASON: Final = translate("Personne ne vous le demandera par téléphone, e-mail ou SMS.")
HELP: Final = translate("Besoin d'aide ?")
FREE: Final = translate("Service gratuit")
KIOSK: Final = translate("Borne n°\u00a0{number}")
