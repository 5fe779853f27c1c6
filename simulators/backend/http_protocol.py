"""uvicorn's httptools protocol, with header limits, deadlines, the client certificate and the raw target added.

Needed because the parser takes header fields of any size and number, waits for ever for the rest of a request, decodes
the path and drops the authority of an absolute-form target (channel reference §2.5).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kiosk.sync.profile import MAX_HEADER_FIELDS, MAX_HEADER_SECTION_BYTES
from simulators.backend.authority import kiosk_of
from simulators.backend.http import fixed_refusal

HEADER_LIMIT_S: Final = 10.0
BODY_LIMIT_S: Final = 30.0
_SLICE_BYTES: Final = 2048
_FIELD_OVERHEAD_BYTES: Final = 4  # colon, blank, CR, LF


class _Joined:
    """A transport that joins what is written in one turn: head and body of an answer are one TLS record, one send."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self.is_closing = transport.is_closing  # asked at each step of each request

    def write(self, data: bytes) -> None:
        """At the end of this turn of the loop."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """After what is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BackendHttpProtocol(HttpToolsProtocol):
    """One connection, made with `{"metrics": …}` as its `app_state`.

    `scope["state"]` gains `peer_kiosk` (of the certificate, or None) and `target` (raw bytes).
    """

    _due_s: float | None = None  # on the loop's clock; None: nothing is waited for
    _is_idle = False  # waits for a next request, which need not come
    _timer: asyncio.TimerHandle | None = None  # wakes at the deadline or before it, and then looks
    _in_header = True
    _section_bytes = 0  # of the fields completed in this request
    _pending_bytes = 0  # fed since the last completed field
    _fields = 0
    _refusal: int | None = None  # waits for the answers to earlier requests of the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Note the certificate the TLS layer has verified and start the clock."""
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]  # all that is used of one
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(True) if tls is not None else None
        # Parsed once a connection: that costs as much as a signature.
        self.app_state = {**self.app_state, "peer_kiosk": kiosk_of(certificate)}
        self._arm(HEADER_LIMIT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._disarm()
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed small slices while in a header, so that an oversized field is noticed before it is collected."""
        if self._is_idle or (self._in_header and self._due_s is None):
            self._arm(HEADER_LIMIT_S)  # empty lines begin no request, yet they end the idle connection's own limit
        view = memoryview(data)
        while view and not self.transport.is_closing() and self._refusal is None:
            if not self._in_header:
                super().data_received(bytes(view))
                return
            piece, view = bytes(view[:_SLICE_BYTES]), view[_SLICE_BYTES:]
            self._pending_bytes += len(piece)
            super().data_received(piece)
            if self._is_oversized():
                self._refuse(431)

    def send_400_response(self, msg: str) -> None:
        """The fixed refusal in place of the library's text."""
        self._refuse(400)

    def on_message_begin(self) -> None:
        """A new request."""
        super().on_message_begin()
        self._in_header, self._section_bytes, self._fields = True, 0, 0
        self._arm(HEADER_LIMIT_S)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the field."""
        super().on_header(name, value)
        self._section_bytes += len(name) + len(value) + _FIELD_OVERHEAD_BYTES
        self._pending_bytes = 0
        self._fields += 1

    def on_headers_complete(self) -> None:
        """The header is whole: from now on the body's clock runs."""
        self._in_header, self._pending_bytes = False, 0
        if self._is_ending():
            return
        self._arm(BODY_LIMIT_S)
        if self._is_oversized():
            self._refuse(431)
            return
        if self.parser.get_http_version() != "1.1":
            self._refuse(400)
            return
        self.scope["state"]["target"] = self.url
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._disarm()
        self._in_header = True
        if not self._is_ending():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; ignored when the head was already refused."""
        if not self._is_ending():
            super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on with what was sent meanwhile, be it a refusal; else wait for the next request.

        In place of the library's own, which arms a timer after each answer.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self.transport.write(fixed_refusal(self._refusal))
            self.transport.close()
        elif self._due_s is None:
            self._arm(self.timeout_keep_alive, is_idle=True)

    def _is_oversized(self) -> bool:
        """Over a limit already, or so far into one field that it will be."""
        return (
            self._section_bytes > MAX_HEADER_SECTION_BYTES
            or self._fields > MAX_HEADER_FIELDS
            or self._section_bytes + self._pending_bytes > MAX_HEADER_SECTION_BYTES + _SLICE_BYTES
        )

    def _is_ending(self) -> bool:
        return self.transport.is_closing() or self._refusal is not None

    def _refuse(self, status: int) -> None:
        if self._is_ending():
            return
        self.app_state["metrics"].dropped(str(status))
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            # An earlier request is whole and being answered: each has its own verdict, in order.
            self._refusal = status
            self._disarm()
            return
        self.transport.write(fixed_refusal(status))
        self.transport.close()

    def _arm(self, limit_s: float, *, is_idle: bool = False) -> None:
        """Move the deadline. The timer is moved when it wakes: one for each step of each request costs more."""
        self._due_s, self._is_idle = self.loop.time() + limit_s, is_idle
        if self._timer is None:
            self._timer = self.loop.call_at(self._due_s, self._look)
        elif self._timer.when() > self._due_s:
            self._timer.cancel()
            self._timer = self.loop.call_at(self._due_s, self._look)

    def _disarm(self) -> None:
        self._due_s, self._is_idle = None, False

    def _look(self) -> None:
        self._timer = None
        if self._due_s is None:
            return
        if self._due_s > self.loop.time():
            self._timer = self.loop.call_at(self._due_s, self._look)
        elif self._is_idle:
            self.transport.close()
        else:
            self.app_state["metrics"].dropped("slow")
            self.transport.abort()
