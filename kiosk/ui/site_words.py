"""What a site's signed documents add to the pages: announced outages, places nearby, its own help texts."""

from __future__ import annotations

from datetime import datetime

from kiosk.ui import texts as t
from kiosk.ui.typography import NBSP, date_words, short_hour, typeset, until
from kiosk.visit.model import State
from kiosk.visit.outages import Outage, Outages
from kiosk.visit.page_kinds import Topic
from kiosk.visit.policy import Policy


def outage_who(outage: Outage) -> str:
    """Whom an outage concerns, in words that follow « pour »."""
    if outage.who:
        return typeset(outage.who)
    return t.EVERYBODY if outage.for_all else t.SOME_CAISSES


def announced(outages: Outages, now: datetime) -> str:
    """The outage that runs, or else the next one, in one sentence; empty when none is near."""
    running = outages.closing_all() or (outages.now[-1] if outages.now else None)
    if running is not None:
        return typeset(t.OUTAGE_NOW.format(until=until(running.until_utc_s, now), who=outage_who(running)))
    if not outages.soon:
        return ""
    outage = outages.soon[0]
    start, end = (datetime.fromtimestamp(utc_s, now.tzinfo) for utc_s in (outage.from_utc_s, outage.until_utc_s))
    words = t.OUTAGE_DAYS
    if start.date() == end.date():
        words = t.OUTAGE_TODAY if start.date() == now.date() else t.OUTAGE_DAY
    sentence = words.format(
        day=date_words(start.date()),
        end_day=date_words(end.date()),
        start=short_hour(start),
        end=short_hour(end),
        who=outage_who(outage),
    )
    return typeset(sentence[:1].upper() + sentence[1:])


def clock_notice(state: State) -> str:
    """What a wrong clock takes away, said before a card is put in; empty when the clock is right or not known yet."""
    wrong = state.world.clock_fault is not None and not state.world.clock_trusted
    return t.CLOCK_WRONG if wrong else ""


def nearby(state: State) -> str:
    """Other places, one a line; empty when the site names none."""
    places = state.policy.contents.nearby
    return "\n".join(
        typeset(f"•{NBSP}{place.name}, {place.address}" + (f" ({place.hours})" if place.hours else ""))
        for place in places
    )


def help_text(topic: Topic, policy: Policy) -> str:
    """A situation of the help page, in the site's own words if it has some."""
    own = policy.contents.help_text(topic.value)
    text = t.TOPICS[topic][1].format(phone=policy.phone, hours=policy.phone_hours) if own is None else own
    if topic is Topic.CONTACT and policy.contents.contact_address:
        text = f"{text}\n{policy.contents.contact_address}"
    return typeset(text)
