"""Reads requests: JSON that fits its schema, or a refusal that says which field is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from starlette.requests import Request

from ragkit.server.failures import Refusal
from ragkit.server.schemas import Schema
from ragkit.types import Filters

_SHOWN = 80  # characters of a wrong value
_LARGEST_WHOLE = 2**53  # from here on a float is no longer one whole number alone


class Reader:
    """Reads bodies of one shape."""

    def __init__(self, schema: Schema) -> None:
        self._validator = Draft202012Validator(schema)

    async def read(self, request: Request) -> dict[str, Any]:
        """Return a request's JSON object. Raises Refusal."""
        return self.checked(parsed(await request.body()))

    def checked(self, body: object) -> dict[str, Any]:
        """Return the body if it fits, without fields that are null. Raises Refusal."""
        error = best_match(self._validator.iter_errors(body))
        if error is not None:
            raise _refusal(error)
        assert isinstance(body, dict), "the schema is that of an object"
        return {name: value for name, value in body.items() if value is not None}


def parsed(raw: bytes) -> object:
    """Return what a body says. Raises Refusal where it is no JSON."""
    try:
        return json.loads(raw, parse_constant=_refuse_constant, parse_float=_number)
    except (ValueError, RecursionError) as exc:
        raise Refusal(
            400, f"the body is not valid JSON: {exc}"[:300], "invalid_json", hint="send an object"
        ) from exc


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _number(written: str) -> int | float:
    """Return a number; 5.0 is the whole number 5, as JSON Schema has it."""
    value = float(written)
    if math.isinf(value):
        raise ValueError(f"{written[:_SHOWN]} is too large a number")
    return int(value) if value.is_integer() and abs(value) <= _LARGEST_WHOLE else value


def _refusal(error: ValidationError) -> Refusal:
    """Return the refusal for a field, named as JavaScript would: messages[0].role."""
    param = ""
    for step in error.absolute_path:
        param += f"[{step}]" if isinstance(step, int) else f".{step}" if param else str(step)
    if error.validator == "required":
        required = cast(Sequence[str], error.validator_value)
        instance = cast(Mapping[str, Any], error.instance)
        missing = next(name for name in required if name not in instance)
        param = f"{param}.{missing}" if param else missing
        return Refusal(400, f"{param} is missing", "missing_required_parameter", param)
    shown = json.dumps(error.instance, default=str)
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 3] + "..."
    return Refusal(
        400,
        f"{param or 'the body'} is {shown}; expected {_expected(error)}",
        "invalid_value",
        param,
    )


def _expected(error: ValidationError) -> str:
    """Return in words what a field has to be."""
    value: Any = error.validator_value
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "type":
        kinds = [value] if isinstance(value, str) else list(value)
        return " or ".join(kinds)
    if error.validator == "enum":
        return "one of " + ", ".join(str(each) for each in value if each is not None)
    if error.validator in ("minimum", "maximum"):
        return f"a number from {schema.get('minimum')} to {schema.get('maximum')}"
    if error.validator in ("minLength", "minItems"):
        return "something that is not empty"
    if error.validator in ("maxLength", "maxItems"):
        return f"at most {value:,} " + ("items" if error.validator == "maxItems" else "characters")
    return str(schema.get("description") or error.message[:200])


def number(request: Request, name: str, default: int, *, most: int, least: int = 1) -> int:
    """Return a whole number of the query string. Raises Refusal."""
    told = request.query_params.get(name)
    if told is None:
        return default
    if not told.isascii() or not told.isdigit() or not least <= int(told[:10]) <= most:
        message = f"{name} is {told[:_SHOWN]!r}; expected a whole number from {least} to {most}"
        raise Refusal(400, message, "invalid_value", name)
    return int(told)


def flag(request: Request, name: str) -> bool:
    """Return a switch of the query string; off where it isn't there. Raises Refusal."""
    told = request.query_params.get(name, "false").lower()
    if told not in ("true", "false", "1", "0"):
        message = f"{name} is {told[:_SHOWN]!r}; expected true or false"
        raise Refusal(400, message, "invalid_value", name)
    return told in ("true", "1")


def filters(told: Mapping[str, Any] | None) -> Filters:
    """Return the filters that a body asks for."""
    told = told or {}
    return Filters(
        paths=tuple(told.get("paths") or ()),
        media_types=tuple(told.get("media_types") or ()),
        collections=tuple(told.get("collections") or ()),
    )
