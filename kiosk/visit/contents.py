"""What a site says of itself: where else to go, what help to give, which web addresses it vouches for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HELP_TOPICS: Final = ("no_card", "lost", "card_fails", "refunds", "scams", "contact", "wrong_information")
"""Situations of the help page whose text a site may replace (`model.Topic`)."""
_ADDRESS: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?![a-z0-9-])", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class NearbyKiosk:
    """Another place where the card can be updated."""

    name: str
    address: str
    hours: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """Texts a site may change without a new program. Empty: the shipped page says it, or nothing is said.

    account_site: the one web address that pages and tickets name; always one of `web_domains`.
    """

    contact_address: str = ""
    help_texts: tuple[tuple[str, str], ...] = ()
    nearby: tuple[NearbyKiosk, ...] = ()
    web_domains: tuple[str, ...] = ("assure.ameli.fr",)
    account_site: str = "assure.ameli.fr"

    def help_text(self, topic: str) -> str | None:
        """The site's own text for a situation, if it has one."""
        return dict(self.help_texts).get(topic)


SHIPPED: Final = Contents()


def web_addresses(text: str) -> Iterator[str]:
    """Everything in a text that a member could take for a web address, in lower case."""
    for found in _ADDRESS.finditer(text):
        yield found.group().lower()
