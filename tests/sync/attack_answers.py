"""What a false or broken backend tries on a kiosk: each bent answer is a transport failure, and nothing is parsed."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.sync.attacks import ANSWER_COMPONENTS, INPUT, SIGNATURE, TYPE, AnswerRow, BendAnswer, Scene
from tests.sync.rfc9421 import Answer, Message


def _answer_sub(pattern: bytes, by: bytes) -> BendAnswer:
    def bend(answer: Answer, _: Message, __: Scene) -> Answer:
        value, count = re.subn(pattern, by, answer.value(INPUT))
        assert count == 1
        return answer.edited(INPUT, value)

    return bend


def _weaker(*dropped: str) -> BendAnswer:
    components = tuple(name for name in ANSWER_COMPONENTS if name not in dropped)
    return lambda answer, request, scene: scene.resigned_answer(answer, request, components=components)


def _answer_params(params: str) -> BendAnswer:
    return lambda answer, request, scene: scene.resigned_answer(answer, request, params=params)


def _more(name: bytes, value: bytes, times: int = 1) -> BendAnswer:
    return lambda answer, *_: replace(answer, headers=answer.headers + ((name, value),) * times)


_KEY = ';keyid="srv/1";alg="ecdsa-p256-sha256"'
_SRV = f';created=NOW{_KEY};tag="kiosk-sync/1"'
ANSWER_ROWS: tuple[AnswerRow, ...] = (
    AnswerRow(2, "answer to another request", lambda _, __, s: s.answer(s.request()), "signature"),
    AnswerRow(3, "body cut", lambda a, *_: replace(a, body=a.body[:-1]), "digest"),
    AnswerRow(4, "body", lambda a, *_: replace(a, body=b'{"ok":false}'), "digest"),
    AnswerRow(4, "status", lambda a, *_: replace(a, status=201), "signature"),
    AnswerRow(4, "type", lambda a, r, s: s.resigned_answer(a.edited(TYPE, b"text/html"), r), "field_form"),
    AnswerRow(5, "alg absent", _answer_params(';created=NOW;keyid="srv/1";tag="kiosk-sync/1"'), "field_form"),
    AnswerRow(5, "alg of another type", _answer_sub(b'alg="[^"]+"', b'alg="ed25519"'), "alg"),
    AnswerRow(5, "alg HMAC", _answer_sub(b'alg="[^"]+"', b'alg="hmac-sha256"'), "field_form"),
    AnswerRow(6, "our own key", lambda a, r, s: s.resigned_answer(a, r, key=s.key), "field_form"),
    AnswerRow(6, "a key not pinned", _answer_sub(b'keyid="srv/1"', b'keyid="srv/2"'), "key_unknown"),
    AnswerRow(7, "created changed", _answer_sub(b"created=[0-9]{10}", b"created=1999999999"), "signature"),
    AnswerRow(7, "created as text", _answer_params(f';created="NOW"{_KEY};tag="kiosk-sync/1"'), "field_form"),
    AnswerRow(7, "expires added", _answer_params(f';created=NOW{_KEY};expires=NOW;tag="kiosk-sync/1"'), "field_form"),
    AnswerRow(8, "other tag", _answer_params(f';created=NOW{_KEY};tag="kiosk-sync/2"'), "field_form"),
    AnswerRow(8, "no flag for the request", _answer_sub(b'"@method";req', b'"@method"'), "field_form"),
    AnswerRow(9, "signature twice", lambda a, r, s: _more(SIGNATURE, a.value(SIGNATURE))(a, r, s), "field_duplicate"),
    AnswerRow(9, "too many fields", _more(b"x", b"", 70), "header_limit"),
    AnswerRow(12, "unsigned 200", lambda a, *_: replace(a, headers=a.headers[:2]), "field_missing"),
    AnswerRow(12, "unsigned 503", lambda a, *_: replace(a, status=503, headers=a.headers[:2]), "field_missing"),
    AnswerRow(12, "wrong key", lambda a, r, s: s.resigned_answer(a, r, params=_SRV, key=s.other_key), "signature"),
    AnswerRow(12, "stale", _answer_params(f';created=NOW-86400{_KEY};tag="kiosk-sync/1"'), "stale"),
    *(AnswerRow(12, f"without {name}", _weaker(name), "field_form") for name in ANSWER_COMPONENTS),
    AnswerRow(12, "redirect", lambda _, r, s: s.answer(r, 307), "status"),
    AnswerRow(12, "interim answer", lambda _, r, s: s.answer(r, 103), "status"),
    AnswerRow(12, "compressed", _more(b"Content-Encoding", b"gzip"), "forbidden_field"),
    AnswerRow(12, "chunked", _more(b"Transfer-Encoding", b"chunked"), "forbidden_field"),
    AnswerRow(12, "a cookie", _more(b"Set-Cookie", b"a=b"), "forbidden_field"),
    AnswerRow(15, "endless body", lambda _, r, s: s.answer(r, body=b" " * 1_048_577), "too_large"),
)
