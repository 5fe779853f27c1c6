"""The first check of a persona: shape, by JSON Schema. Causes are worded here: no value of the file is quoted."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def first_shape_error(document: object) -> tuple[str, str] | None:
    """JSON path and cause of the first deviation in document order, or None."""
    errors = [_deepest(error) for error in _validator().iter_errors(document)]
    if not errors:
        return None
    error = min(errors, key=lambda e: [str(part).zfill(4) for part in e.absolute_path])
    return _json_path(error), _cause(error)


def _deepest(error: ValidationError) -> ValidationError:
    """`null or an object`: what counts is why the object is wrong, when one was given."""
    if error.validator != "anyOf" or error.instance is None:
        return error
    inner = [e for e in error.context or () if e.validator != "type" or e.relative_schema_path[0] != 0]
    return _deepest(inner[0]) if inner else error


def _json_path(error: ValidationError) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _cause(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "required":
            missing = ", ".join(repr(name) for name in wanted if name not in instance)
            return f"missing {missing}"
        case "additionalProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            return "unknown field " + ", ".join(repr(name) for name in instance if name not in known)
        case "type":
            return f"{wanted} expected"
        case "const":
            return f"{json.dumps(wanted)} expected"
        case "enum":
            return "one of " + ", ".join(json.dumps(value) for value in wanted) + " expected"
        case "pattern":
            return f"text of the form {wanted} expected"
        case "minLength" | "maxLength":
            return f"{'at least' if error.validator == 'minLength' else 'at most'} {wanted} characters expected"
        case "minItems" | "maxItems":
            return f"{'at least' if error.validator == 'minItems' else 'at most'} {wanted} entries expected"
        case "minimum" | "maximum":
            return f"{'at least' if error.validator == 'minimum' else 'at most'} {wanted} expected"
        case other:
            return f"rule {other!r} broken"
