"""What the signed documents say, type by type: checked field by field into values. Unknown fields are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kiosk.sync.allow_list import BUILT_IN_INS
from kiosk.sync.fields import LATEST_S, FieldError, Fields, read
from kiosk.visit.contents import HELP_TOPICS, SHIPPED, Contents, NearbyKiosk, web_addresses
from kiosk.visit.outages import Outage
from kiosk.visit.policy import CodeIssuing, Policy, PolicyError, Quarantine, is_phone, is_printable, parse_policy

MAX_OUTAGES: Final = 200
MAX_NEARBY: Final = 3
MAX_DOMAINS: Final = 16
_OUTAGE_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_SERVICE: Final = re.compile("update")  # the only one that an outage closes so far
_REGIME: Final = re.compile(r"[0-9]{2}", re.ASCII)
_CAISSE: Final = re.compile(r"[0-9]{2}/[0-9]{3}", re.ASCII)
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.ASCII)
_INS: Final = re.compile(r"[0-9a-f]{2}", re.ASCII)


class Expiry(StrEnum):
    """What becomes of a document whose time is over. An older one never comes back."""

    KEEP = "keep"  # it stays in force, and the diagnostics say so
    STOP_SERVICE = "stop_service"  # what it governs is switched off until a newer one comes


@dataclass(frozen=True, slots=True)
class Calendar:
    """Announced outages. An entry of a kiosk's own calendar replaces the fleet's of the same id."""

    outages: tuple[Outage, ...]
    cancelled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a site may do. What a document does not name is denied."""

    update: bool = False
    show_serial: bool = False
    issue_code: CodeIssuing = CodeIssuing.OFF
    print_tickets: bool = False
    update_level: int = 0
    serial_level: int = 1


@dataclass(frozen=True, slots=True)
class SiteContents:
    """Contents, and the contacts that stand in for those of the policy; empty ones do not."""

    contents: Contents = SHIPPED
    phone: str = ""
    phone_hours: str = ""
    help_place: str = ""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Instruction bytes that may go to a card, all of them of the built-in list."""

    allowed_ins: frozenset[int]


Body = Policy | Quarantine | Calendar | Capabilities | SiteContents | AllowList
Parser = Callable[[Mapping[str, Any]], Body | FieldError]


@dataclass(frozen=True, slots=True)
class DocumentType:
    """One type of document. Who may sign it, and how many must, is the role of the same name in the trust bundle."""

    name: str
    parse: Parser
    on_expiry: Expiry = Expiry.KEEP
    dated: bool = True  # an order that never expires is lifted by a higher version only


def parse_policy_body(body: Mapping[str, Any]) -> Policy | FieldError:
    """See `kiosk.visit.policy.parse_policy`."""
    policy = parse_policy(body)
    return FieldError(policy.field, policy.reason) if isinstance(policy, PolicyError) else policy


def parse_quarantine(body: Mapping[str, Any]) -> Quarantine | FieldError:
    """`{"level"}`."""

    def build(fields: Fields) -> Quarantine:
        _only(fields, ("level",))
        return fields.one_of("level", Quarantine)

    return read(body, build)


def parse_calendar(body: Mapping[str, Any]) -> Calendar | FieldError:
    """`{"texts": {id: words}, "entries": […]}`, an entry with all fields of `_OUTAGE_FIELDS`.

    Times in seconds since 1970; `text` names one of `texts`, or is null. Ids are unique.
    """

    def build(fields: Fields) -> Calendar:
        _only(fields, ("texts", "entries"))
        texts = _texts(fields.object("texts"), 60)
        outages: dict[str, Outage] = {}
        cancelled: set[str] = set()
        for entry in fields.objects("entries", high=MAX_OUTAGES):
            outage = _outage(entry, texts)
            if outage.outage_id in outages:
                entry.refuse("id", "an id of its own expected")
            outages[outage.outage_id] = outage
            if entry.flag("cancelled"):
                cancelled.add(outage.outage_id)
        return Calendar(tuple(outages.values()), frozenset(cancelled))

    return read(body, build)


_OUTAGE_FIELDS: Final = ("id", "service", "regimes", "caisses", "from", "until", "text", "cancelled")


def _outage(entry: Fields, texts: Mapping[str, str]) -> Outage:
    _only(entry, _OUTAGE_FIELDS)
    from_s, until_s = entry.whole("from", 0, LATEST_S), entry.whole("until", 0, LATEST_S)
    if until_s <= from_s:
        entry.refuse("until", "after `from` expected")
    entry.text("service", pattern=_SERVICE)
    text_id = entry.optional("text", entry.text)
    if text_id is not None and text_id not in texts:
        entry.refuse("text", "one of `texts` expected")
    return Outage(
        outage_id=entry.text("id", pattern=_OUTAGE_ID),
        from_utc_s=from_s,
        until_utc_s=until_s,
        regimes=entry.texts("regimes", pattern=_REGIME, high=99),
        caisses=entry.texts("caisses", pattern=_CAISSE, high=200),
        who="" if text_id is None else texts[text_id],
    )


def parse_capabilities(body: Mapping[str, Any]) -> Capabilities | FieldError:
    """`{"update", "show_serial", "issue_code", "printer", "levels": {"update", "serial"}}`; not named is denied."""

    def build(fields: Fields) -> Capabilities:
        _only(fields, ("update", "show_serial", "issue_code", "printer", "levels"))
        levels = fields.object("levels") if fields.has("levels") else Fields({})
        _only(levels, ("update", "serial"))
        return Capabilities(
            update=fields.has("update") and fields.flag("update"),
            show_serial=fields.has("show_serial") and fields.flag("show_serial"),
            issue_code=fields.one_of("issue_code", CodeIssuing) if fields.has("issue_code") else CodeIssuing.OFF,
            print_tickets=fields.has("printer") and fields.flag("printer"),
            update_level=levels.whole("update", 0, 2) if levels.has("update") else 0,
            serial_level=levels.whole("serial", 1, 2) if levels.has("serial") else 1,
        )

    return read(body, build)


def parse_contents(body: Mapping[str, Any]) -> SiteContents | FieldError:
    """What a site says of itself, every field optional.

    `phone`, `phone_hours`, `help_place`, `contact_address`: texts; `help_texts`: {topic: text}; `nearby`: up to three
    `{"name", "address", "hours"}`; `web_domains`: the addresses that may be shown, `account_site`: the one that pages
    name. A text that names any other web address is refused.
    """

    def build(fields: Fields) -> SiteContents:
        _only(fields, _CONTENT_FIELDS)
        domains = fields.texts("web_domains", pattern=_DOMAIN, low=1, high=MAX_DOMAINS)
        site = fields.text("account_site") if fields.has("account_site") else SHIPPED.account_site
        if site not in domains:
            fields.refuse("account_site", "one of `web_domains` expected")
        help_texts = _texts(fields.object("help_texts"), 200) if fields.has("help_texts") else {}
        for topic, text in help_texts.items():
            if topic not in HELP_TOPICS:
                fields.refuse("help_texts", f"topics among {', '.join(HELP_TOPICS)} expected")
            _only_listed(fields, f"help_texts.{topic}", text, domains)
        phone = _optional_text(fields, "phone", 30, domains)
        if phone and not is_phone(phone):
            fields.refuse("phone", "a phone number has 10 digits, or 4")
        nearby = fields.objects("nearby", high=MAX_NEARBY) if fields.has("nearby") else ()
        contents = Contents(
            contact_address=_optional_text(fields, "contact_address", 120, domains),
            help_texts=tuple(help_texts.items()),
            nearby=tuple(_nearby(place, domains) for place in nearby),
            web_domains=domains,
            account_site=site,
        )
        return SiteContents(
            contents=contents,
            phone=phone,
            phone_hours=_optional_text(fields, "phone_hours", 60, domains),
            help_place=_optional_text(fields, "help_place", 60, domains),
        )

    return read({"web_domains": list(SHIPPED.web_domains), **body}, build)


_CONTENT_FIELDS: Final = (
    "phone",
    "phone_hours",
    "help_place",
    "contact_address",
    "help_texts",
    "nearby",
    "web_domains",
    "account_site",
)


def _nearby(place: Fields, domains: Iterable[str]) -> NearbyKiosk:
    _only(place, ("name", "address", "hours"))
    name, address = (_optional_text(place, field, 60, domains) for field in ("name", "address"))
    for field, text in (("name", name), ("address", address)):
        if not text:
            place.refuse(field, "a text expected")
    return NearbyKiosk(name, address, _optional_text(place, "hours", 60, domains))


def parse_allow_list(body: Mapping[str, Any]) -> AllowList | FieldError:
    """`{"ins": ["a4", …]}`: narrows the built-in list; an instruction that is not in it is refused."""

    def build(fields: Fields) -> AllowList:
        _only(fields, ("ins",))
        allowed = frozenset(int(text, 16) for text in fields.texts("ins", pattern=_INS, high=256))
        if not allowed <= BUILT_IN_INS:
            fields.refuse("ins", "only instructions of the built-in list expected")
        return AllowList(allowed)

    return read(body, build)


def _only(fields: Fields, names: Iterable[str]) -> None:
    for name in fields.raw():
        if name not in names:
            fields.refuse(name if is_printable(name) and len(name) <= 40 else "?", "unknown field")


def _optional_text(fields: Fields, name: str, max_chars: int, domains: Iterable[str]) -> str:
    if not fields.has(name):
        return ""
    text = fields.text(name, max_chars=max_chars)
    if not is_printable(text):
        fields.refuse(name, "printable characters expected")
    _only_listed(fields, name, text, domains)
    return text


def _texts(fields: Fields, max_chars: int) -> dict[str, str]:
    found = {}
    for name in fields.raw():
        if not _TEXT_ID.fullmatch(name):
            fields.refuse("?", "an id of lower-case letters expected")
        text = fields.text(name, max_chars=max_chars)
        if not text or not is_printable(text):
            fields.refuse(name, "printable characters expected")
        if "{" in text or "}" in text:
            fields.refuse(name, "braces are not allowed")
        found[name] = text
    return found


_TEXT_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


def _only_listed(fields: Fields, name: str, text: str, domains: Iterable[str]) -> None:
    """A member types what is shown: no page names an address that nobody has checked."""
    if "://" in text or any(address not in domains for address in web_addresses(text)):
        fields.refuse(name, "only web addresses of `web_domains` expected")


TYPES: Final[Mapping[str, DocumentType]] = {
    kind.name: kind
    for kind in (
        DocumentType("policy", parse_policy_body),
        DocumentType("quarantine", parse_quarantine, dated=False),
        DocumentType("outage_calendar", parse_calendar),
        DocumentType("site_capabilities", parse_capabilities, Expiry.STOP_SERVICE),
        DocumentType("contents", parse_contents),
        DocumentType("allow_list", parse_allow_list, Expiry.STOP_SERVICE),
    )
}
"""Every type this program knows."""
