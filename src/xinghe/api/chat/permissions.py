"""What a token may ask for, and what a model can do."""

from __future__ import annotations

from typing import Any

from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import flag, obj, refuse, shown
from xinghe.catalog.card import Capability

SERVED: frozenset[Capability] = frozenset()
"""Capabilities that generation can deliver, whatever a model's card says."""

FORMATS = {"json_object": Capability.JSON_OBJECT, "json_schema": Capability.JSON_SCHEMA}


def forbid(model: str, param: str, capability: Capability) -> ApiError:
    return ApiError(
        Errors.NO_PARAMETER_PERMISSION,
        f"model {model} does not support {param} ({capability.value})",
        param=param,
    )


def require_capabilities(
    body: dict[str, Any], model: str, capabilities: frozenset[Capability]
) -> None:
    """Refuse what the model cannot do before anything is spent. Raises `ApiError`."""
    able = capabilities & SERVED
    for param in ("tools", "functions"):
        tools = body.get(param)
        if tools is not None and not isinstance(tools, list):
            raise refuse(param, tools, "a list of tools")
        if tools and Capability.TOOLS not in able:
            raise forbid(model, param, Capability.TOOLS)
    if flag(obj(body, "web_search"), "enable", "web_search.enable") and (
        Capability.WEB_SEARCH not in able
    ):
        raise forbid(model, "web_search.enable", Capability.WEB_SEARCH)
    wanted = _format(body)
    if wanted is not None and wanted not in able:
        raise forbid(model, "response_format", wanted)


def _format(body: dict[str, Any]) -> Capability | None:
    """The capability that `response_format` asks for: an object, or a bare string."""
    value = body.get("response_format")
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else value
    if kind == "text":
        return None
    if not isinstance(kind, str) or kind not in FORMATS:
        where = "response_format.type" if isinstance(value, dict) else "response_format"
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"{where} is {shown(kind)}, allowed: text, {', '.join(FORMATS)}",
            param="response_format",
        )
    return FORMATS[kind]
