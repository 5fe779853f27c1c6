"""docs/protocol.md is held to the code: every example is sent, and every answer has exactly the documented fields."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.sync import csr, profile
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.signature import sign_request
from simulators.backend import refusals
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import KioskSide

DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^#{2,3} `(?:(?:GET|POST) )?([^`]+)`$(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
FIELDS = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, list[dict[str, Any]]]:
    """Path → its examples: request and answer, or the answer alone."""
    return {path: [json.loads(text) for text in EXAMPLE.findall(body)] for path, body in SECTION.findall(DOCUMENT)}


def shape(example: Any, real: Any, path: str = "") -> None:
    """Same fields and types all the way down; a list's entries are like the example's first."""
    assert type(example) is type(real), path
    if isinstance(example, dict):
        assert set(example) == set(real), path
        for name, value in example.items():
            shape(value, real[name], f"{path}.{name}")
    elif isinstance(example, list) and example:
        assert real, path
        for index, value in enumerate(real):
            shape(example[0], value, f"{path}[{index}]")


def test_every_signed_route_is_documented_and_no_other() -> None:
    assert {path for path in examples() if path.startswith("/v1/")} == set(profile.ROUTES)


def test_every_example_is_taken_and_answered_as_written(kiosk: KioskSide) -> None:
    conversation_id = proof = None
    for path, (request, answer) in ((p, e) for p, e in examples().items() if p in profile.ROUTES):
        if "conversation_id" in request:
            request["conversation_id"] = conversation_id
        if "proof" in request:
            request["proof"] = proof
        real = kiosk.good(path, request)
        shape(answer, real, path)
        if "package" in real:
            conversation_id = real["package"]["conversation_id"]
            assert real["package"]["items"][0] == answer["package"]["items"][0]
        if path == "/v1/relay/flags":
            assert real["updates"][0]["preview"][0] == answer["updates"][0]["preview"][0]
            assert {**real["updates"][0], "preview": None} == {**answer["updates"][0], "preview": None}
        proof = real.get("proof", proof)
        if path in ("/v1/relay/step", "/v1/events", "/v1/sync/state"):
            assert real == answer


@pytest.mark.parametrize(("method", "path"), [("GET", "/.well-known/kiosk/trust"), ("POST", "/account/redeem")])
def test_examples_of_the_other_listener(ready: Ready, method: str, path: str) -> None:
    *request, answer = examples()[path]
    connection = http.client.HTTPSConnection(
        ready.enrol_origin.removeprefix("https://"),
        context=ssl.create_default_context(cafile=ready.ca_file),
        timeout=10,
    )
    connection.request(method, path, json.dumps(request[0]) if request else None)
    response = connection.getresponse()
    assert response.status == 200
    shape(answer, json.loads(response.read()))
    connection.close()


def test_the_refusal_table_is_that_of_the_code() -> None:
    table = re.findall(r"^\| (\d{3}) \| ([^|]+) \| ([^|]+) \|", DOCUMENT, re.MULTILINE)
    documented = {
        (int(status), reason, code)
        for status, reasons, codes in table
        for reason in re.findall(r"`([^`]+)`", reasons)
        for code in re.findall(r"`([^`]+)`", codes)
    }
    assert documented == {(refusal.status, refusal.reason, refusal.code) for refusal in refusals.known()}


def test_the_documented_error_has_the_fields_of_a_real_one() -> None:
    documented = json.loads(EXAMPLE.findall(DOCUMENT)[0])
    assert documented == json.loads(refusals.NOT_OUR_CARD.body())


def test_the_documented_form_of_a_signature_is_the_only_one() -> None:
    request, answer = (dict(line.split(": ", 1) for line in text.splitlines()) for text in FIELDS.findall(DOCUMENT))
    assert profile.SIGNATURE.fullmatch(request.pop("signature").encode())
    key = SoftwareKey("borne-0001/1", ec.generate_private_key(ec.SECP256R1()))
    signed = sign_request(
        key,
        origin="https://127.0.0.1:8443",
        path="/v1/sync/state",
        body=b'{"batch_seq":1}',
        idempotency_key=request["idempotency-key"],
        created_s=1_790_000_000,
        nonce="A" * 22,
    )
    assert {name: value for name, value in signed.headers if name != "signature"} == request
    assert profile.RESPONSE_INPUT.fullmatch(answer["signature-input"].encode())
    for field in profile.FORBIDDEN_REQUEST_FIELDS:
        assert f"`{field.decode()}`" in DOCUMENT


def test_the_extensions_of_a_request_for_a_certificate_are_documented() -> None:
    for name in (csr.SIGNING_KEY_OID, csr.AUTHORISATION_OID):
        assert f" {name.dotted_string}" in DOCUMENT
    for context in (csr._CONTEXT, csr._RENEWAL_CONTEXT):
        assert f"`{context.decode().rstrip(chr(0))}`" in DOCUMENT
