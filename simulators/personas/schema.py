"""The first check of a persona: shape, by JSON Schema. Causes are worded here: no value of the file is quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

_NAME_SHOWN = 40  # characters of a name nobody knows
_NAMES_SHOWN = 3


@cache
def _validator() -> Any:
    schema = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return _Strict(schema)


def _whole_text(_validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    """A pattern speaks of the whole text: `$` alone would let a line end through."""
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError("another form")


def _is_whole(_checker: object, instance: object) -> bool:
    """1.0 is written like a measure, not like a number of things."""
    return isinstance(instance, int) and not isinstance(instance, bool)


_Strict: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema's stubs leave it bare
    Draft202012Validator,
    {"pattern": _whole_text},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole),
)


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
            unknown = [name for name in instance if name not in known]
            return "unknown field " + ", ".join(ascii(name[:_NAME_SHOWN]) for name in unknown[:_NAMES_SHOWN])
        case "type":
            return f"{wanted} expected"
        case "const":
            return f"{json.dumps(wanted)} expected"
        case "enum":
            return "one of " + ", ".join(json.dumps(value) for value in wanted) + " expected"
        case "pattern":
            described = error.schema.get("description") if isinstance(error.schema, dict) else None
            return f"{described or f'text of the form {wanted}'} expected"
        case "minLength" | "maxLength":
            return f"{'at least' if error.validator == 'minLength' else 'at most'} {wanted} characters expected"
        case "minItems" | "maxItems":
            return f"{'at least' if error.validator == 'minItems' else 'at most'} {wanted} entries expected"
        case "minimum" | "maximum":
            return f"{'at least' if error.validator == 'minimum' else 'at most'} {wanted} expected"
        case other:
            return f"rule {other!r} broken"
