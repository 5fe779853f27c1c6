"""Signing and verifying under the profile `kiosk-sync/1`, both directions, both ends; no socket, no clock, no database.

Server: `check_head` (before a byte of the body is read) then `check_body`; `verify_request` is both. Client:
`sign_request` then `verify_response` against its own copy of the request. The order of checks is part of the profile:
limits, framing, fields, key record, TLS identity, body, signature. Time, key state and replay come after, on a proven
kiosk.
Every input but the key records, the origin and the TLS identity is unauthenticated.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import Final

from kiosk.sync import profile
from kiosk.sync.headers import GatheredHeaders, gather
from kiosk.sync.messages import (
    CheckedHead,
    RawHeaders,
    Reason,
    Refused,
    RequestHead,
    SignedRequest,
    VerifiedRequest,
    VerifiedResponse,
)
from kiosk.sync.profile import KeyRecord
from kiosk.visit.ports import SigningKey

_REQUEST_FIELDS: Final = tuple(profile.REQUEST_FORMS)
_RESPONSE_FIELDS: Final = tuple(profile.RESPONSE_FORMS)


def new_nonce() -> str:
    """16 random bytes, unpadded base64url."""
    return urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")


def sign_request(
    key: SigningKey,
    *,
    origin: str,
    path: str,
    body: bytes,
    idempotency_key: str,
    created_s: int,
    nonce: str | None = None,
    lifetime_s: int = profile.LIFETIME_S,
) -> SignedRequest:
    """Sign a POST of JSON bytes to `origin` (scheme and authority, no final slash) + a route of the table.

    idempotency_key: 32 lower-case hex. nonce: fresh for each sending; made here unless a test gives one.
    """
    target_uri = origin + path
    digest = profile.content_digest(body)
    params = (
        f'{profile.REQUEST_COMPONENTS};created={created_s};keyid="{key.keyid}";alg="{key.alg}"'
        f';expires={created_s + lifetime_s};nonce="{nonce or new_nonce()}";tag="{profile.TAG}"'
    )
    base = profile.request_base(target_uri, len(body), digest, idempotency_key, params)
    member = _member(key.sign(base))
    headers = (
        ("content-type", profile.CONTENT_TYPE),
        ("content-length", str(len(body))),
        ("content-digest", digest),
        ("idempotency-key", idempotency_key),
        ("signature-input", f"sig1={params}"),
        ("signature", f"sig1={member}"),
    )
    return SignedRequest(target_uri, headers, digest, member)


def check_head(
    head: RequestHead,
    *,
    origin: str,
    tls_kiosk: str | None,
    find_key: Callable[[str], KeyRecord | None],
) -> CheckedHead | Refused:
    """Steps 1–4 of the server: limits, framing, fields and lifetime, key record, TLS identity.

    tls_kiosk: the kiosk named by the client certificate (`urn:kiosk:<kiosk>`), None if there is none.
    find_key: read-only look-up by key identifier.
    """
    headers = gather(head.headers)
    if isinstance(headers, Refused):
        return headers
    path = _frame(head, headers, origin)
    if isinstance(path, Refused):
        return path
    fields = headers.needed(_REQUEST_FIELDS)
    if isinstance(fields, Refused):
        return fields
    form = profile.REQUEST_LINES.fullmatch(b"\n".join(fields).decode("ascii"))
    if form is None:
        return _first_of_wrong_form(profile.REQUEST_FORMS, fields)
    _, length, digest, idempotency_key, _, params, created, keyid, alg, expires, nonce, _, member, _ = form.groups()
    created_s, expires_s, content_length = int(created), int(expires), int(length)
    if not 0 < expires_s - created_s <= profile.MAX_LIFETIME_S:
        return Refused(Reason.LIFETIME, "signature-input")
    key = find_key(keyid)
    if key is None:
        return Refused(Reason.KEY_UNKNOWN, "signature-input")
    if key.alg != alg:
        return Refused(Reason.ALG, "signature-input")
    if tls_kiosk is None or key.name != tls_kiosk:
        return Refused(Reason.TLS_IDENTITY)
    if content_length > profile.ROUTES[path]:
        return Refused(Reason.TOO_LARGE, "content-length")
    return CheckedHead(
        key=key,
        path=path,
        target_uri=origin + path,
        content_length=content_length,
        idempotency_key=idempotency_key,
        created_s=created_s,
        expires_s=expires_s,
        nonce=nonce,
        digest=digest,
        signature_params=params,
        signature_member=member,
    )


def check_body(head: CheckedHead, body: bytes) -> VerifiedRequest | Refused:
    """Steps 5–6: the whole body as received, then the signature over the rebuilt base."""
    if len(body) != head.content_length:
        return Refused(Reason.LENGTH, "content-length")
    if profile.content_digest(body) != head.digest:
        return Refused(Reason.DIGEST, "content-digest")
    base = profile.request_base(
        head.target_uri, head.content_length, head.digest, head.idempotency_key, head.signature_params
    )
    if not head.key.verify(a2b_base64(head.signature_member[1:-1]), base):
        return Refused(Reason.SIGNATURE, "signature")
    return VerifiedRequest(head, body)


def verify_request(
    head: RequestHead,
    body: bytes,
    *,
    origin: str,
    tls_kiosk: str | None,
    find_key: Callable[[str], KeyRecord | None],
) -> VerifiedRequest | Refused:
    """`check_head` and `check_body` in one."""
    checked = check_head(head, origin=origin, tls_kiosk=tls_kiosk, find_key=find_key)
    return checked if isinstance(checked, Refused) else check_body(checked, body)


def sign_response(
    key: SigningKey, request: VerifiedRequest, *, status: int, body: bytes, created_s: int
) -> tuple[tuple[str, str], ...]:
    """Header fields of a response bound to this proven request; `key.keyid` is `srv/<generation>`."""
    digest = profile.content_digest(body)
    params = (
        f'{profile.RESPONSE_COMPONENTS};created={created_s};keyid="{key.keyid}";alg="{key.alg}";tag="{profile.TAG}"'
    )
    head = request.head
    base = profile.response_base(
        status=status,
        digest=digest,
        target_uri=head.target_uri,
        request_digest=head.digest,
        request_signature=head.signature_member,
        signature_params=params,
    )
    return (
        ("content-type", profile.CONTENT_TYPE),
        ("content-length", str(len(body))),
        ("content-digest", digest),
        ("signature-input", f"sig1={params}"),
        ("signature", f"sig1={_member(key.sign(base))}"),
    )


def verify_response(
    sent: SignedRequest,
    *,
    status: int,
    headers: RawHeaders,
    body: bytes,
    server_keys: Mapping[str, KeyRecord],
    floor_s: int,
) -> VerifiedResponse | Refused:
    """Prove a response against our own copy of the request (client order of checks).

    body: raw bytes, undecoded, already bounded by the reader. server_keys: pinned, by key identifier. floor_s: time
    floor; freshness comes from the binding, so nothing else is asked of `created`.
    """
    gathered = gather(headers)
    if isinstance(gathered, Refused):
        return gathered
    if not (200 <= status <= 299 or 400 <= status <= 599):
        return Refused(Reason.STATUS)
    if refused := gathered.forbidden(profile.FORBIDDEN_RESPONSE_FIELDS):
        return refused
    fields = gathered.needed(_RESPONSE_FIELDS)
    if isinstance(fields, Refused):
        return fields
    form = profile.RESPONSE_LINES.fullmatch(b"\n".join(fields).decode("ascii"))
    if form is None:
        return _first_of_wrong_form(profile.RESPONSE_FORMS, fields)
    _, digest, _, params, created, keyid, alg, _, _, encoded = form.groups()
    if len(body) > profile.MAX_RESPONSE_BODY_BYTES:
        return Refused(Reason.TOO_LARGE)
    if profile.content_digest(body) != digest:
        return Refused(Reason.DIGEST, "content-digest")
    key = server_keys.get(keyid)
    if key is None:
        return Refused(Reason.KEY_UNKNOWN, "signature-input")
    if key.alg != alg:
        return Refused(Reason.ALG, "signature-input")
    base = profile.response_base(
        status=status,
        digest=digest,
        target_uri=sent.target_uri,
        request_digest=sent.digest,
        request_signature=sent.signature_member,
        signature_params=params,
    )
    if not key.verify(a2b_base64(encoded), base):
        return Refused(Reason.SIGNATURE, "signature")
    created_s = int(created)
    if created_s < floor_s - profile.SKEW_S:
        return Refused(Reason.STALE, "signature-input")
    return VerifiedResponse(status, created_s, body)


def _member(signature: bytes) -> str:
    return f":{b2a_base64(signature, newline=False).decode('ascii')}:"


def _frame(head: RequestHead, fields: GatheredHeaders, origin: str) -> str | Refused:
    """Step 1; returns the route."""
    if head.method != "POST":
        return Refused(Reason.METHOD)
    path = head.raw_path.decode("latin-1")
    if path not in profile.ROUTES:
        return Refused(Reason.PATH)
    if head.query:
        return Refused(Reason.QUERY)
    if b"host" in fields.twice or fields.found.get(b"host") != origin.removeprefix("https://").encode("ascii"):
        return Refused(Reason.HOST, "host")
    if refused := fields.forbidden(profile.FORBIDDEN_REQUEST_FIELDS):
        return refused
    return path


def _first_of_wrong_form(forms: Mapping[bytes, re.Pattern[bytes]], fields: list[bytes]) -> Refused:
    """Which field it is; only asked when one is known to be wrong."""
    for (name, form), value in zip(forms.items(), fields, strict=True):
        if not form.fullmatch(value):
            return Refused(Reason.FIELD_FORM, name.decode("ascii"))
    raise AssertionError("the lines match iff every field does")
