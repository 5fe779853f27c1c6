"""Every French text of the screen, once. Screen, accessible name and (later) speech read the same string.

Each text is marked with `translate` and carries the moment it appears in a comment. Failure texts live in
`kiosk.visit.failures`, those of the ticket in `ticket_texts`. Rules: short, true, no jargon, no blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.ui.typography import typeset
from kiosk.visit.page_kinds import Topic, Waiting
from kiosk.visit.policy import INELIGIBLE_REASONS


def translate(text: str) -> str:
    """Mark a text for extraction, and set its French spaces."""
    return typeset(text)


# --- frame: on nearly every page ---------------------------------------------------------------------------------
HELP: Final = translate("Aide")
STOP: Final = translate("Arrêter")
BACK: Final = translate("Revenir")
CONTINUE: Final = translate("Continuer")
STEP: Final = translate("Étape {number} sur {total} : {name}")
STEP_READ: Final = translate("Lecture de la carte")
STEP_UPDATE: Final = translate("Mise à jour")
STEP_NUMBERS: Final = translate("Vos numéros")
STEP_REMOVE: Final = translate("Retrait de la carte")
STEP_GUIDE: Final = translate("Guide, page {number} sur {total}")
# A list is longer than the screen
MORE: Final = translate("Lire la suite")
LESS: Final = translate("Remonter")

# --- attract: nobody is there ------------------------------------------------------------------------------------
ATTRACT: Final = translate("Insérez votre carte Vitale")
ATTRACT_LEAD: Final = translate("La puce vers l'avant. C'est gratuit.")
NO_CARD: Final = translate("Je n'ai pas ma carte")
SERVICES: Final = translate("Sur cette borne, en ce moment")
SCAM: Final = translate("Personne ne vous demandera votre code par téléphone, e-mail ou SMS.")
KIOSK_NUMBER: Final = translate("Borne n° {number}")
# A card has just been taken out
NOTICE_REMOVED: Final = translate("Carte retirée. Vos données sont effacées.")
NOTICE_UNCHANGED: Final = translate("Carte retirée. Rien n'a changé sur votre carte. Vos données sont effacées.")
NOTICE_UNFINISHED: Final = translate(
    "La mise à jour n'est pas terminée. Remettez la carte ici, ou dans une autre borne, pour la terminer. "
    "Vos droits ne changent pas."
)
NOTICE_UNCERTAIN: Final = translate(
    "Nous ne savons pas si la mise à jour est complète. Remettez la carte, ici ou dans une autre borne, "
    "pour le vérifier. Vos droits ne changent pas."
)
NOTICE_UPDATED: Final = translate("Votre carte est à jour. Vos données sont effacées de la borne.")
NOTICE_LOOSE_TICKET: Final = translate("Après une coupure, un ticket est peut-être sorti à droite.")
NOTICE_TIME_OVER: Final = translate("La visite est terminée. Vos données sont effacées.")
# One line a service
SERVICE_UPDATE: Final = translate("Mise à jour de la carte")
SERVICE_SERIAL: Final = translate("Numéro de série")
SERVICE_CODE: Final = translate("Code provisoire")
SERVICE_TICKET: Final = translate("Ticket imprimé")
SERVICE_GUIDE: Final = translate("Guide du compte ameli")
AVAILABLE: Final = translate("disponible")
UNAVAILABLE: Final = translate("indisponible")
UNAVAILABLE_SINCE: Final = translate("indisponible depuis {since}")
UNAVAILABLE_UNTIL: Final = translate("indisponible jusqu'{until}")
EXCEPT_FOR: Final = translate("sauf pour {who}")
# An announced outage: running, today, another day, over several days; {who} are the centre's words
OUTAGE_NOW: Final = translate("Jusqu'{until} : mise à jour impossible pour {who}.")
OUTAGE_TODAY: Final = translate("Aujourd'hui, de {start} à {end} : mise à jour impossible pour {who}.")
OUTAGE_DAY: Final = translate("{day}, de {start} à {end} : mise à jour impossible pour {who}.")
OUTAGE_DAYS: Final = translate("Du {day} à {start} au {end_day} à {end} : mise à jour impossible pour {who}.")
CLOCK_WRONG: Final = translate("L'heure de cette borne est fausse : pas de mise à jour ici pour le moment.")
RIGHTS_STAY: Final = translate("Vos droits ne changent pas.")
EVERYBODY: Final = translate("tout le monde")
SOME_CAISSES: Final = translate("certaines caisses")
CHECKING: Final = translate("vérification en cours")
ON_SCREEN_ONLY: Final = translate("sans ticket : tout s'affiche à l'écran")
TICKET_UNKNOWN: Final = translate("état inconnu : tout s'affiche aussi à l'écran")

# --- out of service ----------------------------------------------------------------------------------------------
STARTING: Final = translate("La borne démarre")
STARTING_LEAD: Final = translate("Elle se vérifie avant de vous servir. Patientez un instant.")
OUT_OF_SERVICE: Final = translate("Borne indisponible pour le moment")
ELSEWHERE: Final = translate("Où aller ?")
ELSEWHERE_TEXT: Final = translate(
    "La carte Vitale se met à jour dans une autre borne, en pharmacie, dans un laboratoire, un établissement de santé "
    "ou une agence MGEN. C'est gratuit."
)
TAKE_CARD: Final = translate("Retirez votre carte")

# --- welcome: somebody touched the screen without a card ---------------------------------------------------------
WELCOME: Final = translate("Que cherchez-vous ?")
WELCOME_LEAD: Final = translate("Sans carte, cette borne peut vous informer. Rien ne vous sera demandé.")
WELCOME_GUIDE: Final = translate("Créer mon compte ameli")
WELCOME_GUIDE_TEXT: Final = translate("Le guide, page par page : quoi préparer, quoi faire")
WELCOME_HELP: Final = translate("Carte perdue, en panne, autre question")
WELCOME_HELP_TEXT: Final = translate("Les réponses aux situations courantes")
WELCOME_INSERT: Final = translate("Vous avez trouvé votre carte ? Insérez-la à tout moment.")
WELCOME_BACK: Final = translate("J'ai terminé")

# --- reading -----------------------------------------------------------------------------------------------------
READING: Final = translate("Lecture en cours…")
READING_AGAIN: Final = translate("Votre carte est de retour")
KEEP_CARD: Final = translate("Ne retirez pas votre carte.")
READING_CARD: Final = translate("Nous lisons votre carte.")
READING_CENTRE: Final = translate("Nous demandons au centre si une mise à jour vous attend.")
READING_RESUME: Final = translate("Nous vérifions que c'est la même carte, pour terminer la mise à jour.")
READING_SLOW: Final = translate("Cela prend un peu plus de temps.")

# --- a card that cannot be served, or something that did not work ------------------------------------------------
PROBLEM_CARD: Final = translate("Reprenez votre carte")
ANSWER_WHAT: Final = translate("Ce qui s'est passé")
ANSWER_SAFE: Final = translate("Votre carte et vos droits")
ANSWER_TODO: Final = translate("Ce que vous pouvez faire")
ANSWER_CALL: Final = translate("Qui appeler")
PLACE: Final = translate("{place}, ou ")
SUPPORT_CODE: Final = translate("Code pour l'assistance : {code}")
REOPENING: Final = translate("la réouverture")
RETRY: Final = translate("J'ai compris")

# --- a card in the professional slot -----------------------------------------------------------------------------
STAFF_CARD: Final = translate("Carte professionnelle reconnue")
STAFF_CARD_LEAD: Final = translate("Cette borne n'a pas encore de mode assisté. Reprenez votre carte.")
STAFF_CARD_MEMBERS: Final = translate("Pour les assurés")
STAFF_CARD_MEMBERS_TEXT: Final = translate("La borne reste libre : la carte Vitale va dans l'autre lecteur.")

# --- a technician's badge ----------------------------------------------------------------------------------------
STAFF_PIN: Final = translate("Code du badge")
STAFF_PIN_LEAD: Final = translate("Il ne s'affiche pas.")
STAFF_PIN_MEMBERS: Final = translate("Aucun autre code ici.")
STAFF_PIN_CHECKING: Final = translate("Le badge vérifie le code…")
BADGE_DONE: Final = translate("Reprenez le badge")
BADGE_DONE_LEAD: Final = translate("Le diagnostic est fermé.")
DIAGNOSTICS: Final = translate("État de la borne")
DIAGNOSTICS_LOOKING: Final = translate("Un instant : la borne se vérifie.")
DIAGNOSTICS_LEAD: Final = translate("{summary}. Se met à jour seul.")
DIAGNOSTICS_OF: Final = translate("Borne {number}, v{version}")
DIAGNOSTICS_WELL: Final = translate("Tout est en ordre")
DIAGNOSTICS_FAULTS: Final = translate("{count}\u00a0en panne")
DIAGNOSTICS_DOUBTS: Final = translate("{count}\u00a0à vérifier")
DIAGNOSTICS_UNKNOWN: Final = translate("{count}\u00a0d'état inconnu")
DIAGNOSTICS_CLOSE: Final = translate("Fermer")
PART_WELL: Final = translate("En ordre")
PART_FAULT: Final = translate("En panne")
PART_DOUBT: Final = translate("À vérifier")
PART_UNKNOWN: Final = translate("État inconnu")
PART_DETAIL: Final = translate("Détail : {detail}")

# --- home --------------------------------------------------------------------------------------------------------
HELLO: Final = translate("Bonjour")
CARD_OF: Final = translate("Carte de {name}")
CARD_OF_MANY: Final = translate("Carte de {name} et de {count} autres personnes")
CARD_OF_TWO: Final = translate("Carte de {name} et d'une autre personne")
LAST_UPDATE: Final = translate("Dernière mise à jour : {day}.")
LAST_UPDATE_UNKNOWN: Final = translate("Date de la dernière mise à jour : inconnue.")
OVER_A_YEAR: Final = translate("Cela fait plus d'un an.")
UPDATE_READY: Final = translate("Une mise à jour est prête pour cette carte.")
NO_UPDATE_READY: Final = translate("Aucune mise à jour n'attend cette carte.")
UNCERTAIN: Final = translate("Nous ne savons pas si la mise à jour est complète. Vous pouvez le vérifier maintenant.")
UNFINISHED: Final = translate(
    "Une mise à jour n'est pas terminée. Terminez-la : la carte peut être refusée en attendant."
)
CENTRE_SILENT: Final = translate("Le centre ne répond pas. Vous pouvez réessayer. Vos droits ne changent pas.")
CARD_DONE: Final = translate("Cette carte est à jour.")
DECLINED_LEAD: Final = translate("Vous n'avez rien changé. Une mise à jour attend toujours.")
HOME_UPDATE: Final = translate("Mettre à jour ma carte")
HOME_FINISH: Final = translate("Terminer la mise à jour")
HOME_CHECK: Final = translate("Vérifier la mise à jour")
HOME_END: Final = translate("Reprendre ma carte")
HOME_OTHERS: Final = translate("Vous pouvez aussi")
HOME_SERIAL: Final = translate("Voir le numéro de série")
HOME_SERIAL_TEXT: Final = translate("Les 11 chiffres demandés pour le compte")
HOME_CODE: Final = translate("Recevoir un code provisoire")
HOME_CODE_TEXT: Final = translate("4 chiffres pour ouvrir le compte ameli")
HOME_GUIDE: Final = translate("Créer mon compte ameli")
HOME_GUIDE_TEXT: Final = translate("Le guide, page par page")
NOT_NOW: Final = translate("Indisponible ici pour le moment")

# --- preview: nothing has been written ---------------------------------------------------------------------------
PREVIEW: Final = translate("Voici ce qui va changer sur votre carte")
PREVIEW_LEAD: Final = translate("Rien n'est encore écrit. Lisez, puis choisissez.")
LOSSES: Final = translate("À lire avant de continuer")
LOSSES_LEAD: Final = translate(
    "Le centre annonce la fin de ce qui suit. Rien n'est encore écrit. En cas d'erreur, appelez le {phone}."
)
LOSSES_CALL: Final = translate("Vous pouvez refuser ce changement et appeler d'abord : la carte reste comme elle est.")
LOSSES_CONTINUE: Final = translate("J'ai lu, voir la suite")
NOTHING_ELSE: Final = translate("Il n'y a pas d'autre changement.")
AGREE: Final = translate("Mettre à jour")
DECLINE: Final = translate("Ne rien changer")
BEFORE: Final = translate("Aujourd'hui")
AFTER: Final = translate("Après")
WAS: Final = translate("Avant")
NOW: Final = translate("Maintenant")
GAIN: Final = translate("nouveau")
LOSS: Final = translate("en moins")
NEUTRAL: Final = translate("modifié")
MASKED_LABEL: Final = translate("Information personnelle")
MASKED_VALUE: Final = translate("masquée")
SHOW_SENSITIVE: Final = translate("Afficher ce qui est masqué")

# --- updating ----------------------------------------------------------------------------------------------------
UPDATING: Final = translate("Mise à jour en cours")
UPDATING_LEAD: Final = translate("Laissez la carte dans le lecteur jusqu'au message de fin.")
PHASE_OPENING: Final = translate("Connexion au centre")
PHASE_WRITING: Final = translate("Écriture sur la carte")
PHASE_CLOSING: Final = translate("Vérification finale")
PHASE_DONE: Final = translate("fait")
PHASE_NOW: Final = translate("en cours")
PHASE_NEXT: Final = translate("à venir")
INTERRUPTED: Final = translate("Remettez votre carte pour terminer")
INTERRUPTED_LEAD: Final = translate("La carte est sortie pendant la mise à jour. Elle n'est pas abîmée.")
INTERRUPTED_TEXT: Final = translate(
    "Tant que la mise à jour n'est pas finie, la carte peut être refusée. Vos droits ne changent pas."
)
OTHER_CARD: Final = translate("Ce n'est pas la même carte. Retirez-la, et remettez celle qui était dans la borne.")

# --- result ------------------------------------------------------------------------------------------------------
RESULT_UPDATED: Final = translate("Mise à jour terminée")
RESULT_UPDATED_LEAD: Final = translate("La carte est à jour. Voici ce qui a changé.")
RESULT_UPDATED_PLAIN: Final = translate("La carte est à jour.")
RESULT_CURRENT: Final = translate("Carte déjà à jour")
RESULT_CURRENT_LEAD: Final = translate("Aucune modification à enregistrer. Votre carte n'a pas changé.")
RESULT_CURRENT_TEXT: Final = translate(
    "Vous attendiez un changement ? Il peut arriver quelques jours après l'envoi de vos papiers."
)
RESULT_DECLINED: Final = translate("Rien n'a été changé")
RESULT_DECLINED_LEAD: Final = translate("Votre carte n'a pas été modifiée.")
RESULT_DECLINED_TEXT: Final = translate(
    "La mise à jour reste prête : vous pourrez la faire plus tard. Une question ? Appelez le {phone}, {hours}."
)
RESULT_IMPOSSIBLE: Final = translate("La mise à jour n'a pas pu se faire")
RESULT_STOPPED: Final = translate("La mise à jour n'est pas terminée")
RESULT_UNCERTAIN: Final = translate("La mise à jour reste à vérifier")
NOT_MINE: Final = translate("Une information est fausse ?")

# --- identification ----------------------------------------------------------------------------------------------
BIRTH_DATE: Final = translate("Quelle est la date de naissance ?")
BIRTH_DATE_LEAD: Final = translate("Celle du titulaire de la carte : jour, mois, année.")
BIRTH_DATE_HINT: Final = "JJMMAAAA"
POSTCODE: Final = translate("Quel est le code postal ?")
POSTCODE_LEAD: Final = translate("Celui de l'adresse connue de la MGEN : l'actuelle ou l'ancienne.")
WHY_SENSITIVE: Final = translate("Pour afficher les informations masquées.")
WHY_UPDATE: Final = translate("Pour mettre à jour cette carte.")
WHY_SERIAL: Final = translate("Pour afficher le numéro en entier.")
WHY_CODE: Final = translate("Pour vous donner un code provisoire.")
TYPED: Final = translate("{count} chiffres saisis sur {total}")
TYPED_NONE: Final = translate("Aucun chiffre saisi sur {total}")
TYPED_ONE: Final = translate("1 chiffre saisi sur {total}")
TRIES: Final = translate("Essais restants : {tries}.")
ERASE: Final = translate("Effacer")
SUBMIT: Final = translate("Valider")
SUBMIT_LATER: Final = translate("Valider : il manque des chiffres")

# --- serial number -----------------------------------------------------------------------------------------------
SERIAL: Final = translate("Le numéro de série")
SERIAL_TITLE: Final = translate("Les 11 chiffres demandés")
SERIAL_PREFIX: Final = translate("Il commence par")
SERIAL_WHERE: Final = translate("Il est aussi imprimé devant, en haut à droite, près de la photo.")
SERIAL_USE: Final = translate("Ne donnez ce numéro à personne.")
SERIAL_UNKNOWN: Final = translate("Le dernier chiffre est à lire sur votre carte.")
NOTED: Final = translate("J'ai noté")
PRINT: Final = translate("Imprimer sur un ticket")
PRINT_AGAIN: Final = translate("Demander un duplicata")
HIDE: Final = translate("Masquer")
SHOW: Final = translate("Afficher")
HIDDEN: Final = translate("Le numéro est masqué. Touchez « Afficher » pour le revoir.")

# --- provisional code --------------------------------------------------------------------------------------------
CODE_INTRO: Final = translate("Votre code provisoire")
CODE_INTRO_LEAD: Final = translate("4 chiffres pour ouvrir le compte ameli, une seule fois.")
CODE_INTRO_ROWS: Final = (
    translate("Sur {site} ou l'application, tapez les 13 chiffres du numéro de sécurité sociale."),
    translate("Puis tapez ce code, à la place du mot de passe."),
    translate("Ne le donnez à personne. Ni la MGEN ni l'Assurance Maladie ne vous le demandera."),
)
CODE_INTRO_MAIN: Final = translate("Afficher mon code")
CODE: Final = translate("Notez votre code provisoire")
CODE_TITLE: Final = translate("Le code")
CODE_UNTIL: Final = translate("Valable jusqu'{until}. Il sert une seule fois.")
CODE_SECRET: Final = translate("Ne le donnez à personne, même au téléphone.")
CODE_HIDDEN: Final = translate("Le code est masqué. Touchez « Afficher » pour le revoir.")

# --- ticket ------------------------------------------------------------------------------------------------------
TICKET_QUEUED: Final = translate("Impression en cours…")
TICKET_QUEUED_LEAD: Final = translate("Le ticket sort à droite.")
TICKET_PRINTED: Final = translate("Prenez votre ticket")
TICKET_PRINTED_LEAD: Final = translate("Il est sorti à droite. Gardez-le pour vous.")
TICKET_TAKEN: Final = translate("Gardez bien votre ticket")
TICKET_TAKEN_LEAD: Final = translate("Ne le donnez à personne.")
TICKET_FAILED: Final = translate("Le ticket n'est pas sorti")
TICKET_MAYBE: Final = translate("Le ticket est peut-être sorti")
TICKET_BACK: Final = translate("Revoir à l'écran")
NO_TICKET: Final = translate("Continuer sans ticket")

# --- wait --------------------------------------------------------------------------------------------------------
WAIT: Final = translate("Un instant…")
WAITING: Final[Mapping[Waiting, str]] = {
    Waiting.SAVING: translate("Nous enregistrons ce qui vient d'être fait."),
    Waiting.CHECKING: translate("Nous vérifions avec le centre."),
    Waiting.CODE: translate("Nous préparons votre code."),
}

# --- end of a visit ----------------------------------------------------------------------------------------------
IDLE: Final = translate("Êtes-vous toujours là ?")
IDLE_LEAD: Final = translate("Sans réponse, la borne efface vos données et termine la visite.")
STILL_HERE: Final = translate("Oui, je continue")
IDLE_STOP: Final = translate("Non, j'ai terminé")
REMOVE: Final = translate("Retirez votre carte")
REMOVE_LEAD: Final = translate("Merci de votre visite. Vos données sont effacées de la borne.")
FORGOTTEN: Final = translate("Carte oubliée")
FORGOTTEN_LEAD: Final = translate("Une carte est restée dans le lecteur. Prenez-la si c'est la vôtre.")
FORGOTTEN_TEXT: Final = translate("Ce n'est pas la vôtre ? Remettez-la à l'accueil. Aucune donnée n'est affichée.")

# --- why an account cannot be created, as the centre says it -----------------------------------------------------
REASONS: Final[Mapping[str, str]] = dict(
    zip(
        INELIGIBLE_REASONS,
        (
            translate("la carte dépend d'un autre régime"),
            translate("le numéro de sécurité sociale est encore provisoire"),
            translate("aucune coordonnée bancaire n'est connue de votre dossier"),
            translate("aucune carte Vitale active n'est connue de votre dossier"),
            translate("deux comptes bancaires sont connus de votre dossier"),
        ),
        strict=True,
    )
)
REASON_OTHER: Final = translate("votre dossier doit d'abord être complété")

# --- help: situations --------------------------------------------------------------------------------------------
HELP_TITLE: Final = translate("Aide")
TOPICS: Final[Mapping[Topic, tuple[str, str]]] = {
    Topic.WRONG_INFORMATION: (
        translate("Une information vous semble fausse"),
        translate(
            "Cela ne change pas vos droits. Notez-la et appelez le {phone}, {hours} : la borne ne peut pas la corriger."
        ),
    ),
    Topic.NO_CARD: (
        translate("Je n'ai pas ma carte"),
        translate("Vous restez remboursé. En attendant, demandez une attestation de droits : téléphone ou agence."),
    ),
    Topic.LOST: (
        translate("Ma carte est perdue ou volée"),
        translate("Déclarez-le dans votre espace MGEN, en agence ou au {phone}. La carte sera bloquée."),
    ),
    Topic.CARD_FAILS: (
        translate("Ma carte ne marche pas"),
        translate("Essuyez la puce et réessayez. Si elle échoue chez deux professionnels, appelez le {phone}."),
    ),
    Topic.REFUNDS: (
        translate("Mes remboursements"),
        translate(
            "Ils continuent, même sans mise à jour ni compte. Ils arrivent en deux fois ; le total ne change pas."
        ),
    ),
    Topic.SCAMS: (
        translate("Éviter les arnaques"),
        translate(
            "La mise à jour est gratuite et se fait sur place, jamais par un lien. Cette borne ne demande ni IBAN, ni "
            "mot de passe, ni code reçu par SMS."
        ),
    ),
    Topic.CONTACT: (
        translate("À qui parler"),
        translate("La MGEN reste votre contact : {phone}, {hours}. Service gratuit, prix d'un appel."),
    ),
}

# --- guide: the account, without the kiosk ever creating it ------------------------------------------------------
GUIDE_NEXT: Final = translate("Page suivante")
GUIDE_PREVIOUS: Final = translate("Page précédente")
GUIDE_END: Final = translate("J'ai terminé le guide")
GUIDE_LEAVE: Final = translate("Quitter le guide")
