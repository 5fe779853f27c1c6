"""Signed documents for kiosks: DSSE envelopes by role, rising versions, `policy/state` (channel reference §6.1).

A document is for one kiosk or for the fleet. What they say together is worked out by the product's own rules
(`kiosk.sync.documents_in_force`), and enforced here as well.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, func, insert, select, update

from kiosk.sync.documents import FLEET, Document
from kiosk.sync.documents_bodies import TYPES, Body
from kiosk.sync.documents_in_force import InForce, in_force
from kiosk.sync.fields import FieldError
from kiosk.visit.policy import POLICY_FIELDS, CodeIssuing, Policy, Quarantine, SiteKind
from simulators.backend import schema
from simulators.backend.authority import POLICY_THRESHOLDS, Authority
from simulators.backend.bulk import Ask, Lookup
from simulators.backend.clock import SECONDS_PER_DAY
from simulators.backend.exchange import REPEATABLE_S, Answer, Call, Foreseen

PAYLOAD_TYPE: Final = "application/vnd.kiosk.document+json"
LIFETIME_S: Final = 400 * SECONDS_PER_DAY
FOREVER_S: Final = 9_999_999_999
"""End of a quarantine: it is lifted by a higher version only."""
MIN_APP_VERSION: Final = "0.1.0"
FLEET_SUFFIX: Final = "/fleet"
"""What `policy/state` adds to the name of a type when it speaks of the fleet's document."""


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE: the exact bytes each key signs."""
    kind = payload_type.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(authority: Authority, role: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Sign with as many keys of the role as its threshold asks."""
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    message = pre_authentication(PAYLOAD_TYPE, payload)
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode("ascii"),
        "signatures": [
            {"keyid": key.keyid, "sig": base64.b64encode(key.sign(message)).decode("ascii")}
            for key in authority.policy_keys[role][: POLICY_THRESHOLDS[role]]
        ],
    }


def publish(
    connection: Connection, authority: Authority, role: str, scope: str, *, body: Mapping[str, Any], now_s: int
) -> int:
    """Store the next version of a kiosk's document, or the fleet's; returns the version. The body is a good one."""
    last = latest_body(connection, role, scope)
    version = 1 if last is None else last[0] + 1
    document = {
        "type": role,
        "scope": scope,
        "version": version,
        "issued_at": now_s,
        "not_before": now_s,
        "not_after": now_s + LIFETIME_S if TYPES[role].dated else FOREVER_S,
        "min_app_version": MIN_APP_VERSION,
        "body": dict(body),
    }
    connection.execute(
        insert(schema.document).values(
            type=role,
            scope=scope,
            version=version,
            body_json=json.dumps(document["body"]),
            envelope_json=json.dumps(envelope(authority, role, document)),
        )
    )
    if role in ("policy", "quarantine"):
        _enforce_quarantine(connection, scope)
    return version


def set_document(
    connection: Connection, authority: Authority, role: str, scope: str, *, body: Mapping[str, Any], now_s: int
) -> int | FieldError:
    """Publish a document of any type; returns the new version, or the field that is wrong."""
    checked = TYPES[role].parse(body)
    if isinstance(checked, FieldError):
        return checked
    return publish(connection, authority, role, scope, body=body, now_s=now_s)


def set_policy(
    connection: Connection, authority: Authority, scope: str, changes: Mapping[str, Any], now_s: int
) -> int | FieldError:
    """Publish the policy of this scope with these fields changed; returns the new version, or the wrong field."""
    last = latest_body(connection, "policy", scope)
    body = {**({} if last is None else last[1]), **changes}
    return set_document(connection, authority, "policy", scope, body=body, now_s=now_s)


def set_quarantine(connection: Connection, authority: Authority, scope: str, level: Quarantine, now_s: int) -> None:
    """Quarantine or release: enforced here from the next request on, told to the kiosk by a signed order."""
    publish(connection, authority, "quarantine", scope, body={"level": str(level)}, now_s=now_s)
    policy = latest_body(connection, "policy", scope)
    if level is Quarantine.NONE and policy is not None and policy[1].get("quarantine", level) != level:
        set_policy(connection, authority, scope, {"quarantine": str(level)}, now_s)


def foresee(kiosk: str, _body: Mapping[str, Any]) -> Foreseen:
    """Of `/v1/policy/state`: the latest documents are asked for."""
    return Foreseen((Ask(_NEWEST, _names(kiosk)),))


def state(call: Call) -> Answer:
    """`/v1/policy/state`: newer documents than the kiosk knows, and the latest numbers so that a withheld one shows."""
    latest: dict[str, int] = {}
    newer: list[dict[str, Any]] = []
    for row in _found(call.answers[0], call.kiosk_id):
        name = row.type + FLEET_SUFFIX if row.scope == FLEET else row.type
        latest[name] = row.version
        if row.version > call.body["known"].get(name, 0):
            newer.append(json.loads(row.envelope_json))
    return Answer({"documents": newer, "latest": latest}, live_s=REPEATABLE_S)


def counting(connection: Connection, kiosk: str) -> InForce:
    """What the documents of a kiosk say together. One without any has the shipped defaults, which allow least."""
    return in_force(_documents(_latest(connection, kiosk)), None)


def latest_body(connection: Connection, role: str, scope: str) -> tuple[int, dict[str, Any]] | None:
    """Version and body of the last document of a type and scope, or None."""
    table = schema.document
    row = connection.execute(
        select(table.c.version, table.c.body_json)
        .where(table.c.type == role, table.c.scope == scope)
        .order_by(table.c.version.desc())
        .limit(1)
    ).first()
    return None if row is None else (int(row.version), dict(json.loads(row.body_json)))


def first_policy(kiosk: str, site_kind: SiteKind) -> dict[str, Any]:
    """What a new kiosk of this kind of site may do (domain reference §7): codes in agencies only."""
    policy = Policy(
        site_kind=site_kind,
        kiosk_number="".join(c for c in kiosk if c.isdigit())[-4:].rjust(4, "0"),
        issue_code=CodeIssuing.ON if site_kind is SiteKind.AGENCY else CodeIssuing.OFF,
    )
    values = asdict(policy)
    return {name: str(values[name]) if name in _ENUMS else values[name] for name in POLICY_FIELDS}


_ENUMS: Final = frozenset({"site_kind", "issue_code", "quarantine"})


class _Last(NamedTuple):
    """The last document of a type and scope."""

    type: str
    scope: str
    version: int
    body_json: str
    envelope_json: str


_table: Final = schema.document
_FIELDS: Final = tuple(_table.c[name] for name in _Last._fields)
_inner: Final = schema.document.alias()
_NEWEST: Final = Lookup(
    {"type": _table.c.type, "scope": _table.c.scope},
    lambda asked: select(asked.c.type, asked.c.scope, *_FIELDS[2:]).join_from(
        asked,
        _table,
        (_table.c.type == asked.c.type)
        & (_table.c.scope == asked.c.scope)
        & (
            _table.c.version
            == select(func.max(_inner.c.version))
            .where(_inner.c.type == asked.c.type, _inner.c.scope == asked.c.scope)
            .scalar_subquery()
        ),
    ),
)
"""One look at the primary key for each type and scope: every poll of every kiosk asks this."""


def _names(kiosk: str) -> list[tuple[str, str]]:
    """Type and scope of every document that concerns a kiosk."""
    return [(role, scope) for role in TYPES for scope in (FLEET, kiosk)]


def _found(answer: Mapping[Any, Any], kiosk: str) -> list[_Last]:
    return [_Last(*name, *answer[name]) for name in _names(kiosk) if name in answer]


def _latest(connection: Connection, kiosk: str) -> list[_Last]:
    """The last document of each type, of this kiosk and of the fleet."""
    return _found(_NEWEST.run(connection, _names(kiosk)), kiosk)


def _orders(connection: Connection) -> list[_Last]:
    """The last policy and quarantine of every kiosk and of the fleet."""
    last = select(_table.c.type, _table.c.scope, func.max(_table.c.version).label("version"))
    newest = last.where(_table.c.type.in_(["policy", "quarantine"])).group_by(_table.c.type, _table.c.scope).subquery()
    same = and_(*(_table.c[name] == newest.c[name] for name in ("type", "scope", "version")))
    return [_Last(*row) for row in connection.execute(select(*_FIELDS).join(newest, same))]


def _documents(rows: Iterable[_Last]) -> list[Document]:
    return [Document(row.type, row.scope, row.version, FOREVER_S, _body(row), b"", b"") for row in rows]


def _body(row: _Last) -> Body:
    body = TYPES[row.type].parse(json.loads(row.body_json))
    if isinstance(body, FieldError):
        raise ValueError(f"stored {row.type}: {body}")  # an error value
    return body


def _enforce_quarantine(connection: Connection, scope: str) -> None:
    """Note for each kiosk concerned what its documents and the fleet's switch off, where every request looks."""
    rows = _orders(connection) if scope == FLEET else _latest(connection, scope)
    fleet = [row for row in rows if row.scope == FLEET]
    known = schema.kiosk.c
    kiosks = connection.execute(select(known.id)).scalars().all() if scope == FLEET else [scope]
    own: dict[str, list[_Last]] = {}
    for row in rows:
        own.setdefault(row.scope, []).append(row)
    for kiosk in kiosks:
        level = in_force(_documents([*fleet, *own.get(kiosk, [])]), None).policy.quarantine
        connection.execute(update(schema.kiosk).where(known.id == kiosk).values(quarantine=str(level)))
