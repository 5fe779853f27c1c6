"""Signed documents for kiosks: DSSE envelopes by role, rising versions, `policy/state` (channel reference §6.1)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from kiosk.visit.policy import CodeIssuing, Policy, PolicyError, Quarantine, SiteKind, parse_policy
from simulators.backend import schema
from simulators.backend.authority import POLICY_THRESHOLDS, Authority
from simulators.backend.clock import SECONDS_PER_DAY
from simulators.backend.exchange import Answer, Call
from simulators.backend.refusals import Refusal

PAYLOAD_TYPE: Final = "application/vnd.kiosk.document+json"
LIFETIME_S: Final = 400 * SECONDS_PER_DAY
FOREVER_S: Final = 9_999_999_999
"""End of a quarantine: it is lifted by a higher version only."""
MIN_APP_VERSION: Final = "0.1.0"


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
    connection: Connection, authority: Authority, role: str, kiosk: str, *, body: Mapping[str, Any], now_s: int
) -> int:
    """Store the next version of a kiosk's document; returns the version."""
    table = schema.document
    version = 1 + _latest(connection, role, kiosk)
    document = {
        "type": role,
        "scope": kiosk,
        "version": version,
        "issued_at": now_s,
        "not_before": now_s,
        "not_after": FOREVER_S if role == "quarantine" else now_s + LIFETIME_S,
        "min_app_version": MIN_APP_VERSION,
        "body": dict(body),
    }
    connection.execute(
        insert(table).values(
            type=role,
            scope=kiosk,
            version=version,
            body_json=json.dumps(document["body"]),
            envelope_json=json.dumps(envelope(authority, role, document)),
        )
    )
    return version


def state(call: Call) -> Answer | Refusal:
    """`/v1/policy/state`: newer documents than the kiosk knows, and the latest numbers so that a withheld one shows."""
    latest: dict[str, int] = {}
    newer: list[dict[str, Any]] = []
    table = schema.document
    for role in POLICY_THRESHOLDS:
        version = _latest(call.connection, role, call.kiosk_id)
        if version == 0:
            continue
        latest[role] = version
        if version > call.body["known"].get(role, 0):
            text = call.connection.execute(
                select(table.c.envelope_json).where(
                    table.c.type == role, table.c.scope == call.kiosk_id, table.c.version == version
                )
            ).scalar_one()
            newer.append(json.loads(text))
    return Answer({"documents": newer, "latest": latest}, live_s=60)


def policy_of(connection: Connection, kiosk: str) -> Policy:
    """The policy in force; a kiosk without one has the shipped defaults, which allow least."""
    policy = parse_policy(_body(connection, kiosk))
    if isinstance(policy, PolicyError):
        raise ValueError(f"stored policy: {policy.field}: {policy.reason}")  # an error value
    return policy


def set_policy(
    connection: Connection, authority: Authority, kiosk: str, changes: Mapping[str, Any], now_s: int
) -> int | PolicyError:
    """Publish the kiosk's policy with these fields changed; returns the new version, or the field that is wrong."""
    body = {**_body(connection, kiosk), **changes}
    policy = parse_policy(body)
    if isinstance(policy, PolicyError):
        return policy
    connection.execute(update(schema.kiosk).where(schema.kiosk.c.id == kiosk).values(quarantine=str(policy.quarantine)))
    return publish(connection, authority, "policy", kiosk, body=body, now_s=now_s)


def set_quarantine(connection: Connection, authority: Authority, kiosk: str, level: Quarantine, now_s: int) -> None:
    """Quarantine or release: enforced here from the next request on, told to the kiosk by two signed documents."""
    publish(connection, authority, "quarantine", kiosk, body={"level": str(level)}, now_s=now_s)
    if isinstance(error := set_policy(connection, authority, kiosk, {"quarantine": str(level)}, now_s), PolicyError):
        raise ValueError(f"stored policy: {error.field}: {error.reason}")  # an error value


def first_policy(kiosk: str, site_kind: SiteKind) -> dict[str, Any]:
    """What a new kiosk of this kind of site may do (domain reference §7): codes in agencies only."""
    policy = Policy(
        site_kind=site_kind,
        kiosk_number="".join(c for c in kiosk if c.isdigit())[-4:].rjust(4, "0"),
        issue_code=CodeIssuing.ON if site_kind is SiteKind.AGENCY else CodeIssuing.OFF,
    )
    return {name: str(value) if name in _ENUMS else value for name, value in asdict(policy).items()}


_ENUMS: Final = frozenset({"site_kind", "issue_code", "quarantine"})


def _latest(connection: Connection, role: str, kiosk: str) -> int:
    table = schema.document
    return int(
        connection.execute(
            select(func.coalesce(func.max(table.c.version), 0)).where(table.c.type == role, table.c.scope == kiosk)
        ).scalar_one()
    )


def _body(connection: Connection, kiosk: str) -> dict[str, Any]:
    table = schema.document
    text = connection.execute(
        select(table.c.body_json)
        .where(table.c.type == "policy", table.c.scope == kiosk)
        .order_by(table.c.version.desc())
        .limit(1)
    ).scalar()
    return {} if text is None else dict(json.loads(text))
