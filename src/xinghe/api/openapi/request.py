"""The JSON Schema of a chat request, out of the catalog's parameter table."""

from __future__ import annotations

from typing import Any

from xinghe.api.chat.formats import BARE, KINDS
from xinghe.api.chat.messages import ROLES
from xinghe.api.chat.searching import FLAGS, MOST, NUMBERS
from xinghe.api.chat.tools import CHOICES, MAX_TOOLS, NAME
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
        "web_search": _web_search(),
        "tools": _tools(),
        "functions": {"type": ["array", "null"], "maxItems": 0, "description": "Use tools."},
        "function_call": {"enum": [None, "none", "auto"], "description": "Use tool_choice."},
        "tool_choice": {"anyOf": [{"enum": [None, *CHOICES]}, _named_tool()]},
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
    if parameter.kind == "choice":
        return {"enum": [*parameter.choices, None], "description": parameter.about}
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
    picture = {
        "type": "object",
        "required": ["type", "image_url"],
        "properties": {
            "type": {"const": "image_url"},
            "image_url": {
                "type": "object",
                "required": ["url"],
                "properties": {"url": {"type": "string", "minLength": 1}},
            },
        },
    }
    parts = {"type": "array", "minItems": 1, "items": {"anyOf": [part, picture]}}
    return {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": list(ROLES[dialect])},
            "content": {
                "anyOf": [text, parts, {"type": "null"}],
                "description": "Null only beside tool_calls.",
            },
            "name": {"type": ["string", "null"]},
            "tool_calls": {"type": ["array", "null"], "items": {"type": "object"}},
            "tool_call_id": {"type": ["string", "null"], "description": "On a tool's message."},
        },
    }


def _response_format() -> dict[str, Any]:
    of_type = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": list(KINDS)},
            "json_schema": {"type": ["object", "null"]},
        },
    }
    return {
        "anyOf": [of_type, {"enum": [*BARE, None]}],
        "description": "json_object and json_schema where the model serves them.",
    }


def _web_search() -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": ["boolean", "null"]} for name in FLAGS}
    for name in (*NUMBERS, *NUMBERS.values()):
        properties[name] = {"type": ["integer", "null"], "minimum": 1, "maximum": MOST}
    return {"type": ["object", "null"], "properties": properties}


def _tools() -> dict[str, Any]:
    function = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
            "description": {"type": ["string", "null"]},
            "parameters": {"type": ["object", "null"]},
        },
    }
    tool = {
        "type": "object",
        "required": ["function"],
        "properties": {"type": {"const": "function"}, "function": function},
    }
    return {"type": ["array", "null"], "maxItems": MAX_TOOLS, "items": tool}


def _named_tool() -> dict[str, Any]:
    function = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 1}},
    }
    return {
        "type": "object",
        "required": ["type", "function"],
        "properties": {"type": {"const": "function"}, "function": function},
    }
