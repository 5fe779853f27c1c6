"""The operator's listener, plain HTTP on loopback: is it alive, is it ready, what has it counted, its API document."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, func, select

from kiosk.visit.policy import Quarantine
from simulators.backend import metrics, openapi, schema
from simulators.backend.authority import CLIENT_LIFETIME
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database
from simulators.backend.http import Receive, Scope, Send, answer, refuse
from simulators.backend.metrics import Metrics
from simulators.backend.ownership import probe
from simulators.backend.tls import ServerTls

T = TypeVar("T")

DATABASE_LIMIT_S: Final = 2.0
WRITTEN_FOR_S: Final = 1.0
"""How long a write that succeeded stands for the next: whoever asks often costs the disk no more than that."""
JSON_TYPE: Final = "application/json"


class OpsApp:
    """ASGI application: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`; GET only."""

    def __init__(
        self,
        database: Database,
        numbers: Metrics,
        tls: ServerTls,
        is_draining: Callable[[], bool],
        utc_s: UtcSeconds,
    ) -> None:
        self._database = database
        self._metrics = numbers
        self._tls = tls
        self._is_draining = is_draining
        self._utc_s = utc_s
        self._written_until_s = float("-inf")  # monotonic

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """One request."""
        if scope["method"] != "GET":
            await refuse(send, 405)
            return
        match bytes(scope["state"]["target"]):
            case b"/healthz":
                await _tell(send, 200, {"status": "alive"})
            case b"/readyz":
                await self._ready(send)
            case b"/metrics":
                await self._numbers(send)
            case b"/openapi.json":
                await _send(send, 200, JSON_TYPE, openapi.text().encode())
            case _:
                await refuse(send, 404)

    async def _ready(self, send: Send) -> None:
        if self._is_draining():
            await _tell(send, 503, {"status": "draining"})
        elif problem := await self._problem():
            await _tell(send, 503, {"status": problem})
        else:
            await _tell(send, 200, {"status": "ready"})

    async def _problem(self) -> str:
        """What keeps the database from taking anything, or nothing. On a full disk it still reads: a write tells."""
        if time.monotonic() >= self._written_until_s:
            try:
                await self._asked(probe)
            except TimeoutError:
                return "database does not answer"
            except Exception:  # noqa: BLE001  # whatever is wrong with it: it takes nothing
                return "database cannot be written"
            self._written_until_s = time.monotonic() + WRITTEN_FOR_S
        return ""

    async def _numbers(self, send: Send) -> None:
        given = {**(await self._stored() or {}), "server_certificate_end_seconds": self._tls.until_s}
        await _send(send, 200, metrics.CONTENT_TYPE, self._metrics.text(given))

    async def _stored(self) -> dict[str, int] | None:
        """What the database counts; None when it does not answer in time."""
        now_s = self._utc_s()
        try:
            return await self._asked(lambda connection: _count(connection, now_s))
        except Exception:  # noqa: BLE001  # whatever is wrong with it: it does not answer
            return None

    async def _asked(self, work: Callable[[Connection], T]) -> T:
        """In a transaction of its own; raises TimeoutError and what the database raises."""
        return await asyncio.wait_for(asyncio.wrap_future(self._database.submit(work)), DATABASE_LIMIT_S)


def _count(connection: Connection, now_s: int) -> dict[str, int]:
    kiosk, certificate = schema.kiosk.c, schema.certificate.c
    newest = (
        select(func.max(certificate.not_after_s).label("not_after_s"))
        .where(certificate.revoked_s.is_(None))
        .group_by(certificate.kiosk)
        .subquery()
        .c
    )
    soon_s = now_s + int(CLIENT_LIFETIME.total_seconds()) // 3

    counts = {
        "kiosks": select(func.count(kiosk.id)),
        "kiosks_in_quarantine": select(func.count(kiosk.id)).where(kiosk.quarantine != str(Quarantine.NONE)),
        "kiosks_with_alarm": select(func.count(schema.alarm.c.kiosk.distinct())),
        "certificates_near_expiry": select(func.count(newest.not_after_s)).where(
            newest.not_after_s > now_s, newest.not_after_s <= soon_s
        ),
        "certificates_expired": select(func.count(newest.not_after_s)).where(newest.not_after_s <= now_s),
    }
    return {name: int(connection.execute(statement).scalar_one()) for name, statement in counts.items()}


async def _tell(send: Send, status: int, body: dict[str, str]) -> None:
    await _send(send, status, JSON_TYPE, json.dumps(body).encode("ascii"))


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    fields = (("content-type", kind), ("content-length", str(len(body))), ("cache-control", "no-store"))
    await answer(send, status, fields, body)
