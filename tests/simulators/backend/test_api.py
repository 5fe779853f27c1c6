"""Schemathesis over the API document, each call truly signed, over TLS: every answer is one that is described."""

from __future__ import annotations

import copy
import ssl
from collections.abc import Iterator
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.adapters import HTTPAdapter
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kiosk.sync.signature import sign_request
from simulators.backend import openapi, schema
from tests.simulators.backend.attack_stage import Heard, Stage
from tests.sync.rfc9421 import Message

KNOWN_CARDS = ("802500000204671322631", "80250000020467132263")
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
LIMITS = settings(
    max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@schemathesis.serializer("application/pkcs10")
def _pkcs10(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def described(*, signed: bool) -> Any:
    """One listener's part. The signature's fields are the signer's; some cards are ones that the centre knows."""
    document = copy.deepcopy(openapi.document())
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith("/v1/") is signed}
    for item in document["paths"].values():
        for operation in item.values():
            operation.pop("parameters", None)
    _know_cards(document["paths"])
    config = SchemathesisConfig()
    phases = config.projects.default.phases
    phases.update(phases=["coverage", "fuzzing"])
    phases.coverage.unexpected_methods = set()  # the attack matrix has them
    return schemathesis.openapi.from_dict(document, config=config)


def _know_cards(node: Any) -> None:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "iccsn" and "pattern" in inner:
                node[name] = {"anyOf": [{"enum": list(KNOWN_CARDS)}, inner]}
            else:
                _know_cards(inner)
    elif isinstance(node, list):
        for inner in node:
            _know_cards(inner)


class Client(HTTPAdapter):
    """Connections that present a kiosk's certificate."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)


class Signer(requests.auth.AuthBase):
    """Signs what is about to be sent, whatever it is."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.message: Message

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: Any = request.body or b""
        raw = body if isinstance(body, bytes) else body.encode()
        path = urlsplit(str(request.url)).path
        sent = sign_request(
            self._stage.scene.key,
            origin=self._stage.origin,
            path=path,
            body=raw,
            idempotency_key=token_hex(16),
            created_s=self._stage.utc(),
        )
        request.headers.update(dict(sent.headers))
        pairs = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in sent.headers)
        self.message = Message("POST", path.encode("ascii"), pairs, raw)
        return request


@pytest.fixture(scope="module")
def client(standing_stage: Stage) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount(standing_stage.origin, Client(standing_stage.own.tls))
        session.trust_env = False
        yield session


@described(signed=True).parametrize()  # type: ignore[untyped-decorator]  # made from the document
@LIMITS
def test_signed_routes_answer_as_described(case: Any, standing_stage: Stage, client: requests.Session) -> None:
    stage, signer = standing_stage, Signer(standing_stage)
    # A batch number used twice is a fork, which ends in quarantine: each call finds the kiosk free.
    stage.execute(schema.kiosk.update().values(quarantine="none"))
    response = case.call(base_url=stage.origin, session=client, auth=signer, verify=stage.ready.ca_file)
    assert response.status_code != 500
    pairs = [(name.encode("latin-1"), values[0].encode("latin-1")) for name, values in response.headers.items()]
    stage.proven(signer.message, Heard(response.status_code, pairs, response.content))
    case.validate_response(response, checks=CHECKS)


@described(signed=False).parametrize()  # type: ignore[untyped-decorator]  # made from the document
@LIMITS
def test_the_other_routes_answer_as_described(case: Any, standing_stage: Stage, client: requests.Session) -> None:
    origin = standing_stage.origin if "reenroll" in case.path else standing_stage.ready.enrol_origin
    response = case.call(base_url=origin, session=client, verify=standing_stage.ready.ca_file)
    assert response.status_code != 500
    case.validate_response(response, checks=CHECKS[:-1])
