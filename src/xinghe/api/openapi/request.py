"""The JSON Schema of a chat request, out of the catalog's parameter table."""

from __future__ import annotations

from typing import Any

from xinghe.api.chat.messages import ROLES
from xinghe.api.chat.permissions import FORMATS
from xinghe.api.dialect import Dialect
from xinghe.catalog.parameters import Parameter, parameters


def chat_request(dialect: Dialect) -> dict[str, Any]:
    """What a body may hold. Model-dependent limits are told by `GET /models`."""
    properties: dict[str, Any] = {
        "model": {"type": "string", "minLength": 1, "description": "An id of GET /models."},
        "messages": {"type": "array", "minItems": 1, "items": _message(dialect)},
        "stream_options": {
            "type": ["object", "null"],
            "properties": {"include_usage": {"type": ["boolean", "null"]}},
            "description": "Only together with stream: true.",
        },
        "response_format": _response_format(),
        "web_search": {
            "type": ["object", "null"],
            "properties": {"enable": {"type": ["boolean", "null"]}},
        },
        "tools": {"type": ["array", "null"]},
        "functions": {"type": ["array", "null"]},
        "tool_choice": {"enum": [None, "none", "auto"]},
        "function_call": {"enum": [None, "none", "auto"]},
        "logit_bias": {
            "type": ["object", "null"],
            "maxProperties": 0,
            "description": "不支持。 Not served.",
        },
    }
    for name, parameter in parameters().items():
        properties[name] = _scalar(parameter, dialect)
    return {"type": "object", "required": ["model", "messages"], "properties": properties}


def _scalar(parameter: Parameter, dialect: Dialect) -> dict[str, Any]:
    if parameter.kind == "strings":
        return _strings(parameter, dialect)
    schema: dict[str, Any] = {
        "type": [parameter.kind, "null"],
        "description": parameter.about,
    }
    limits = parameter.range(openai=dialect is Dialect.OPENAI)
    if limits is not None and parameter.kind == "string":
        schema |= {"minLength": limits[0], "maxLength": limits[1]}
    elif limits is not None:
        schema |= {"minimum": limits[0], "maximum": limits[1]}
    if parameter.default is not None and dialect is Dialect.DOCUMENTED:
        schema["default"] = parameter.default
    if parameter.only is not None:
        schema = {"enum": [parameter.only, None], "description": parameter.about}
    return schema


def _strings(parameter: Parameter, dialect: Dialect) -> dict[str, Any]:
    limits = parameter.range(openai=dialect is Dialect.OPENAI)
    assert limits is not None
    one = {"type": "string", "minLength": limits[0], "maxLength": limits[1]}
    several = {"type": "array", "maxItems": parameter.items, "items": one}
    return {"anyOf": [one, several, {"type": "null"}], "description": parameter.about}


def _message(dialect: Dialect) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    if dialect is Dialect.DOCUMENTED:
        text["minLength"] = 1
    part = {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    }
    return {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": list(ROLES[dialect])},
            "content": {"anyOf": [text, {"type": "array", "minItems": 1, "items": part}]},
            "name": {"type": ["string", "null"]},
        },
    }


def _response_format() -> dict[str, Any]:
    kinds = ["text", *FORMATS]
    of_type = {"type": "object", "required": ["type"], "properties": {"type": {"enum": kinds}}}
    return {
        "anyOf": [of_type, {"enum": [*kinds, None]}],
        "description": "json_object and json_schema where the model serves them.",
    }
