"""The closed grammar as properties: one text for one value, no character to spare, and no input that raises."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync import profile
from kiosk.sync.headers import GatheredHeaders, gather
from kiosk.sync.messages import Refused, RequestHead, SignedRequest, VerifiedRequest, VerifiedResponse
from kiosk.sync.signature import sign_response, verify_request, verify_response
from tests.sync.support import (
    BODY,
    HOST,
    KEYS,
    KIOSK,
    NOW_S,
    ORIGIN,
    SERVER_KEY,
    SERVER_KEYS,
    head,
    raw,
    signed,
    verified,
)

SECONDS = st.integers(1_000_000_000, 9_999_999_999)
GENERATION = st.integers(1, 999_999)
NAME = st.from_regex(r"[a-z0-9][a-z0-9-]{0,47}", fullmatch=True).filter(lambda name: name != "srv")
ALG = st.sampled_from((profile.ALG_P256, profile.ALG_ED25519))


def request_input(created: int, keyid: str, alg: str, expires: int, nonce: bytes) -> str:
    """As the channel reference prints it."""
    text = b64encode(nonce, altchars=b"-_").decode("ascii").rstrip("=")
    return (
        f'sig1={profile.REQUEST_COMPONENTS};created={created};keyid="{keyid}";alg="{alg}";expires={expires}'
        f';nonce="{text}";tag="kiosk-sync/1"'
    )


def response_input(created: int, keyid: str, alg: str) -> str:
    """As the channel reference prints it."""
    return f'sig1={profile.RESPONSE_COMPONENTS};created={created};keyid="{keyid}";alg="{alg}";tag="kiosk-sync/1"'


@given(SECONDS, st.builds("{}/{}".format, NAME, GENERATION), ALG, SECONDS, st.binary(min_size=16, max_size=16))
def test_request_inputs_say_again_what_was_read(created: int, keyid: str, alg: str, expires: int, nonce: bytes) -> None:
    text = request_input(created, keyid, alg, expires, nonce)
    found = profile.REQUEST_INPUT.fullmatch(text.encode("ascii"))
    assert found is not None
    _, seen_created, seen_keyid, seen_alg, seen_expires, seen_nonce = (part.decode("ascii") for part in found.groups())
    again = b64decode(seen_nonce + "==", altchars=b"-_", validate=True)
    assert request_input(int(seen_created), seen_keyid, seen_alg, int(seen_expires), again) == text


@given(SECONDS, GENERATION, ALG)
def test_response_inputs_say_again_what_was_read(created: int, generation: int, alg: str) -> None:
    text = response_input(created, f"srv/{generation}", alg)
    found = profile.RESPONSE_INPUT.fullmatch(text.encode("ascii"))
    assert found is not None
    _, seen_created, keyid, seen_alg = (part.decode("ascii") for part in found.groups())
    assert response_input(int(seen_created), keyid, seen_alg) == text


@given(st.text("ABQgwz09+/=", min_size=88, max_size=88), st.binary(min_size=64, max_size=64))
def test_one_text_for_one_signature(any_text: str, raw_bytes: bytes) -> None:
    for text in (any_text, any_text[:85] + "A==", b64encode(raw_bytes).decode("ascii")):
        found = profile.SIGNATURE.fullmatch(f"sig1=:{text}:".encode("ascii"))
        assert (found is not None) == _is_canonical(text, 64)


@given(st.text("AEZcg048+/=", min_size=44, max_size=44), st.binary(min_size=32, max_size=32))
def test_one_text_for_one_digest(any_text: str, raw_bytes: bytes) -> None:
    for text in (any_text, any_text[:43] + "=", b64encode(raw_bytes).decode("ascii")):
        found = profile.CONTENT_DIGEST.fullmatch(f"sha-256=:{text}:".encode("ascii"))
        assert (found is not None) == _is_canonical(text, 32)


def _is_canonical(text: str, size_bytes: int) -> bool:
    """Whether it is what encoding its own bytes gives."""
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        return False
    return len(decoded) == size_bytes and b64encode(decoded).decode("ascii") == text


@given(st.from_regex(profile.CONTENT_LENGTH, fullmatch=True))
def test_one_text_for_one_length(text: bytes) -> None:
    assert str(int(text)).encode("ascii") == text


def test_the_lines_match_iff_every_field_does() -> None:
    fields = dict(head(signed()).headers)
    answer = dict(raw(sign_response(SERVER_KEY, verified(signed()), status=200, body=b"{}", created_s=NOW_S)))
    for honest, forms, lines in (
        (fields, profile.REQUEST_FORMS, profile.REQUEST_LINES),
        (answer, profile.RESPONSE_FORMS, profile.RESPONSE_LINES),
    ):
        assert lines.fullmatch(_lines(honest, forms))
        for name, form in forms.items():
            for text in near(honest[name]):
                if not text.translate(None, profile.FIELD_BYTES):
                    whole = lines.fullmatch(_lines({**honest, name: text}, forms))
                    assert (whole is not None) == (form.fullmatch(text) is not None), (name, text)


def _lines(fields: Mapping[bytes, bytes], forms: Mapping[bytes, re.Pattern[bytes]]) -> str:
    return b"\n".join(fields[name] for name in forms).decode("ascii")


def near(value: bytes) -> Iterator[bytes]:
    """Every text one step away: each character gone, doubled, one more, one bit else; blanks at both ends."""
    for at in range(len(value)):
        yield value[:at] + value[at + 1 :]
        yield value[:at] + value[at : at + 1] + value[at:]
        for extra in (b" ", b'"', b";", b",", b"=", b"A", b"0", b"\x00", b"\n", b"\xff"):
            yield value[:at] + extra + value[at:]
        for bit in range(8):
            yield value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]
    yield from (b"", b" " + value, value + b" ", value + b"\t", value + b"\n", value + value, value + b", " + value)


def everywhere(headers: list[tuple[bytes, bytes]], judge: Callable[[list[tuple[bytes, bytes]]], bool]) -> int:
    """How many bent messages there are; each must be refused."""
    count = 0
    for index, (name, value) in enumerate(headers):
        for text in near(value):
            if text != value:
                assert not judge([*headers[:index], (name, text), *headers[index + 1 :]]), (name, text)
                count += 1
    return count


def test_no_character_of_a_request_can_change() -> None:
    request = head(signed())

    def judge(headers: list[tuple[bytes, bytes]]) -> bool:
        bent = replace(request, headers=headers)
        result = verify_request(bent, BODY, origin=ORIGIN, tls_kiosk=KIOSK, find_key=KEYS.get)
        return isinstance(result, VerifiedRequest)

    assert judge(list(request.headers))
    assert everywhere(list(request.headers), judge) > 8_000


def test_no_character_of_an_answer_can_change() -> None:
    sent = signed()
    signed_fields = raw(sign_response(SERVER_KEY, verified(sent), status=200, body=b"{}", created_s=NOW_S))
    headers = [pair for pair in signed_fields if pair[0] != b"content-length"]  # the one field that is not covered

    def judge(fields: list[tuple[bytes, bytes]]) -> bool:
        return isinstance(_answer(sent, fields, b"{}"), VerifiedResponse)

    assert judge(headers)
    assert everywhere(headers, judge) > 7_000


def _answer(sent: SignedRequest, headers: list[tuple[bytes, bytes]], body: bytes) -> VerifiedResponse | Refused:
    return verify_response(sent, status=200, headers=headers, body=body, server_keys=SERVER_KEYS, floor_s=NOW_S)


FRAGMENTS = st.sampled_from(
    [
        *(
            b'sig1= sig2= ( ) "@method" "@target-uri" "content-digest" ; = , ;created= ;keyid= ;alg= ;expires= ;nonce='
            b' ;tag= 1795000000 "borne-7/1" "srv/1" "ecdsa-p256-sha256" "kiosk-sync/1" ;req ;key= : AAAA == ?1'
        ).split(b" "),
        *(b" ", b"\x00", b"\xc3\xa9", b"\\"),
        *(profile.REQUEST_COMPONENTS.encode("ascii"), profile.RESPONSE_COMPONENTS.encode("ascii")),
    ]
)
NAMES = st.sampled_from((*profile.REQUEST_FORMS, b"host", b"HOST", b"Signature", b"cookie", b"te", b"x", b"", b"\xff"))
FIELDS = st.lists(st.tuples(NAMES, st.lists(FRAGMENTS, max_size=12).map(b"".join)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(FIELDS, st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20))
def test_nothing_that_arrives_raises(fields: list[tuple[bytes, bytes]], path: bytes, query: bytes, body: bytes) -> None:
    for request in (
        RequestHead("POST", path, query, fields),
        RequestHead("POST", b"/v1/events", b"", [(b"host", HOST), *fields]),
        replace(head(signed()), headers=[*head(signed()).headers, *fields[:2]]),
    ):
        result = verify_request(request, body, origin=ORIGIN, tls_kiosk=KIOSK, find_key=KEYS.get)
        assert isinstance(result, Refused)
    assert isinstance(_answer(signed(), fields, body), Refused)


@given(FIELDS)
def test_gathering_counts_what_comes_twice(fields: list[tuple[bytes, bytes]]) -> None:
    gathered = gather(fields)
    if isinstance(gathered, GatheredHeaders):
        names = [name.lower() for name, _ in fields]
        assert gathered.found.keys() == set(names)
        assert gathered.twice == {name for name in names if names.count(name) > 1}
        assert all((name, value) in [(n.lower(), v) for n, v in fields] for name, value in gathered.found.items())
