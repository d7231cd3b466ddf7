"""`response_format` (section 5.5): an object, or one of the bare strings."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import shown
from xinghe.catalog import Capability

KINDS = ("text", "json_object", "json_schema")
BARE = ("text", "json_object")


class Format(msgspec.Struct, frozen=True):
    """JSON is wanted; `schema` is `None` for any object."""

    capability: Capability
    schema: dict[str, Any] | None = None


def read_format(body: dict[str, Any]) -> Format | None:
    """What an answer must be; `None` for text. Raises `ApiError`."""
    value = body.get("response_format")
    if value is None:
        return None
    allowed: tuple[str, ...]
    if isinstance(value, dict):
        where, kind, allowed = "response_format.type", value.get("type"), KINDS
    else:
        where, kind, allowed = "response_format", value, BARE
    if not isinstance(kind, str) or kind not in allowed:
        more = "" if isinstance(value, dict) else ", or an object"
        raise _wrong(f"{where} is {shown(kind)}, allowed: {', '.join(allowed)}{more}")
    if kind == "text":
        return None
    if kind == "json_object":
        return Format(Capability.JSON_OBJECT)
    return Format(Capability.JSON_SCHEMA, _read_schema(value.get("json_schema")))


def _read_schema(value: Any) -> dict[str, Any]:
    """OpenAI's `{name, schema, strict}`, or the schema itself."""
    if not isinstance(value, dict):
        raise _wrong(
            f"response_format.json_schema is {shown(value)}, allowed: a JSON Schema, or an object "
            "{name, schema, strict}"
        )
    if "schema" not in value:
        return value
    schema = value["schema"]
    if not isinstance(schema, dict):
        raise _wrong(
            f"response_format.json_schema.schema is {shown(schema)}, allowed: a JSON Schema"
        )
    return schema


def _wrong(rule: str) -> ApiError:
    return ApiError(Errors.MALFORMED_JSON, rule, param="response_format")
