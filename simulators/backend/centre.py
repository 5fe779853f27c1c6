"""The update centre's three routes: what is due for a card, start a conversation, take it a step further."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select, update

from kiosk.sync.documents_in_force import InForce
from kiosk.visit.outages import outages_at
from simulators.backend import refusals, schema
from simulators.backend.cards import find_card
from simulators.backend.clock import utc
from simulators.backend.conversation import DONE, MAX_WAIT_MS, Close, Conversation, Package
from simulators.backend.documents import counting
from simulators.backend.exchange import REPEATABLE_S, Answer, Call
from simulators.backend.preview import preview
from simulators.backend.refusals import Refusal
from simulators.backend.simfiles import Content
from simulators.card.keys import key_set
from simulators.card.scp03 import HostSession

SILENCE_S: Final = 60
PROVIDER: Final = "999999999"  # fictional


def flags(call: Call) -> Answer | Refusal:
    """`/v1/relay/flags`: standing of the card and its pending orders with their preview."""
    card = find_card(call.connection, call.body["card"]["iccsn"])
    if card is None:
        return refusals.NOT_OUR_CARD
    counts = counting(call.connection, call.kiosk_id)
    until_s = _closed_until(call, card, counts)
    closed = until_s is not None
    orders = [] if card["opposed"] or closed else _pending(call, card["serial"])
    before, names = Content.from_json(json.loads(card["content_json"])), json.loads(card["first_names_json"])
    today = utc(call.now_s).date()
    reason = card["ineligible_reason"]
    return Answer(
        {
            "opposition": card["opposed"],
            "replace": card["replace"],
            "eligibility": {"eligible": reason is None, "reason": reason},
            "outage_until_s": until_s,
            "serial": None if card["opposed"] else card["serial"],
            "receipt": None if orders else _receipt(),
            "updates": [
                {
                    "update_id": order["update_id"],
                    "service": order["service"],
                    "provider": PROVIDER,
                    "priority": order["priority"],
                    "description": order["description"],
                    "preview": [
                        line.to_json()
                        for line in preview(before, Content.from_json(json.loads(order["after_json"])), names, today)
                    ],
                }
                for order in orders
            ],
        },
        live_s=REPEATABLE_S,
    )


def start(call: Call) -> Answer | Refusal:
    """`/v1/relay/start`: a new conversation; an older one about the same card ends, whoever held it."""
    card = find_card(call.connection, call.body["card"]["iccsn"])
    if card is None:
        return refusals.NOT_OUR_CARD
    if card["opposed"]:
        return refusals.CARD_OPPOSED
    counts = counting(call.connection, call.kiosk_id)
    if not counts.policy.update:
        return refusals.SITE_MAY_NOT
    if (until_s := _closed_until(call, card, counts)) is not None:
        return refusals.service_closed(call.now_s, until_s)
    orders = _pending(call, card["serial"])
    order = next((entry for entry in orders if entry["update_id"] == call.body["update_id"]), None)
    if order is None:
        return refusals.NO_SUCH_UPDATE
    if order is not next(entry for entry in orders if entry["priority"] == order["priority"]):
        return refusals.OUT_OF_ORDER
    older = schema.conversation.c
    for row in call.connection.execute(
        select(older.id).where(older.serial == card["serial"], older.state == "open")
    ).all():
        _end(call, row.id, "void")
    conversation_id = secrets.token_hex(16)
    work = Conversation(
        before=Content.from_json(json.loads(card["content_json"])),
        after=Content.from_json(json.loads(order["after_json"])),
        today=utc(call.now_s).date(),
        session=HostSession(key_set(card["serial"])),
    )
    package = work.first()
    call.connection.execute(
        insert(schema.conversation).values(
            id=conversation_id,
            kiosk=call.kiosk_id,
            serial=card["serial"],
            update_id=order["update_id"],
            state="open",
            counter=0,
            touched_s=call.now_s,
            work_json=work.to_json(),
        )
    )
    return _package(call, conversation_id, 0, package)


def step(call: Call) -> Answer | Refusal:
    """`/v1/relay/step`: the answers to the package of this counter; the next package, or the close."""
    table = schema.conversation
    row = (
        call.connection.execute(
            select(table).where(table.c.id == call.body["conversation_id"], table.c.kiosk == call.kiosk_id)
        )
        .mappings()
        .one_or_none()
    )
    if row is None or row["state"] != "open" or call.now_s - row["touched_s"] > SILENCE_S:
        return refusals.CONVERSATION_EXPIRED
    if call.body["counter"] != row["counter"]:
        return refusals.bad_message("counter: not that of the last package")
    work = Conversation.from_json(row["work_json"], key_set(row["serial"]))
    responses = [bytes.fromhex(response) for response in call.body["responses"]]
    abort = call.body["abort"]
    result = work.next(responses) if abort is None else work.abort(responses, abort["command_sent"])
    if isinstance(result, Close):
        return _close(call, row, work, result)
    counter = row["counter"] + 1
    call.connection.execute(
        update(table)
        .where(table.c.id == row["id"])
        .values(counter=counter, touched_s=call.now_s, work_json=work.to_json())
    )
    return _package(call, row["id"], counter, result)


def _package(call: Call, conversation_id: str, counter: int, package: Package) -> Answer:
    return Answer(
        {
            "package": {
                "conversation_id": conversation_id,
                "counter": counter,
                "not_after_s": call.now_s + SILENCE_S,
                "max_wait_ms": 0 if package.last_if_ok else MAX_WAIT_MS,
                "last_if_ok": package.last_if_ok,
                "items": [{"apdu": apdu.hex(), "expected_sw": ["9000"]} for apdu in package.apdus],
            }
        },
        live_s=SILENCE_S,
        conversation_id=conversation_id,
    )


def _close(call: Call, row: RowMapping, work: Conversation, close: Close) -> Answer:
    if close == DONE:  # only now does the order disappear
        call.connection.execute(
            update(schema.card)
            .where(schema.card.c.serial == row["serial"])
            .values(content_json=json.dumps(work.after.to_json()))
        )
        table = schema.update_order
        call.connection.execute(
            update(table)
            .where(table.c.serial == row["serial"], table.c.update_id == row["update_id"])
            .values(done=True)
        )
    _end(call, row["id"], "closed")
    receipt = _receipt() if close == DONE else None
    return Answer(
        {"close": {"outcome": str(close.outcome), "detail": close.detail, "code": close.code, "receipt": receipt}}
    )


def _end(call: Call, conversation_id: str, state: str) -> None:
    """Forget the secure session and every stored package of a conversation."""
    table, stored = schema.conversation, schema.response
    call.connection.execute(
        update(table).where(table.c.id == conversation_id).values(state=state, work_json=None, touched_s=call.now_s)
    )
    call.connection.execute(update(stored).where(stored.c.conversation_id == conversation_id).values(body=None))


def _pending(call: Call, serial: str) -> list[RowMapping]:
    table = schema.update_order
    return list(
        call.connection.execute(
            select(table).where(table.c.serial == serial, table.c.done.is_(False)).order_by(table.c.position)
        ).mappings()
    )


def _closed_until(call: Call, card: Mapping[Any, Any], counts: InForce) -> int | None:
    """Until when this card's update is closed, by its own record or the published calendar; None: open."""
    organisation = Content.from_json(json.loads(card["content_json"])).organisation
    outage = outages_at(counts.outages, call.now_s).closing(organisation)
    ends_s = [card["outage_until_s"] or 0, 0 if outage is None else outage.until_utc_s]
    return max(ends_s) if max(ends_s) > call.now_s else None


def _receipt() -> str:
    """Opaque to the kiosk, at most 65 characters of base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")
