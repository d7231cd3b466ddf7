"""`/openapi.json`: made of the table of operations and the Structs that bodies are read into."""

from typing import Any

import msgspec

from xinghe import __version__
from xinghe.api.account.forms import MEDIA
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.idempotency import KEY
from xinghe.api.operations import OPERATIONS, Operation
from xinghe.api.query import parameters

BASES = {"/llm/lmapi/v3": Dialect.DOCUMENTED, "/v1": Dialect.OPENAI}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same body again with the same key gets the same answer, without charge.",
    "schema": {"type": "string", "pattern": KEY.pattern, "maxLength": 255},
}

OF_OPERATORS = {
    Errors.CONFLICT, Errors.NOT_PERMITTED, Errors.NO_SUCH_OBJECT, Errors.CHANGED_MEANWHILE,
}  # fmt: skip
"""Refusals of `/admin/v1`."""
OF_KEPT = {"response", "delete_response", "cancel_response", "input_items"}
"""Operations on what was kept, or is not there."""
OF_PAYMENTS = {Errors.INVALID_SIGNATURE}
"""Refusals of `/payments` alone."""
OF_BODIES = {
    Errors.MODEL_EMPTY, Errors.CHARACTERS_TOO_LONG, Errors.TOKENS_TOO_LONG,
    Errors.INVALID_USER_ID, Errors.IDEMPOTENCY_KEY_REUSED, Errors.USER_UNSAFE,
    Errors.TOKEN_QUOTA_EXCEEDED, Errors.TPM_RATE_LIMIT, Errors.PREEMPTIBLE_RATE_LIMIT,
}  # fmt: skip
"""Of what costs Tokens."""
CONVERSING = {"chat", "completions", "responses", "messages", "count_tokens"}
OF_CONVERSATIONS = {Errors.INVALID_MESSAGES, Errors.SYSTEM_UNSAFE, Errors.FUNCTIONS_UNSAFE}


def document() -> dict[str, Any]:
    """OpenAPI 3.1: every operation at its two dialects."""
    shapes: list[Any] = []
    for each in OPERATIONS:
        shapes += [each.errors.shape, each.answer, *(form.shape for form in each.forms.values())]
        shapes += [shape for shape in (each.event, each.query) if shape is not None]
    queries = {each.query.__name__ for each in OPERATIONS if each.query is not None}
    schemas = components(shapes)
    paths: dict[str, dict[str, Any]] = {}
    for base, dialect in BASES.items():
        for each in OPERATIONS:
            if dialect in each.dialects:
                methods = paths.setdefault(base + each.path, {})
                methods[each.method.lower()] = _described(each, dialect, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "星河大模型API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def components(shapes: list[Any]) -> dict[str, dict[str, Any]]:
    """The schemas of Structs; amounts are numbers, which msgspec would rather send as text."""
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            for kind in field.get("anyOf", [field]):
                if kind.get("format") == "decimal":
                    kind["type"] = "number"
                    kind.update({"default": 0} if "default" in kind else {})
    return schemas


def _described(
    operation: Operation, dialect: Dialect, schemas: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    content, told = _json(operation.answer), "Done."
    if operation.tabular:
        content |= {
            media: {"schema": {"type": "string"}} for media in MEDIA if media not in content
        }
    if operation.event is not None:
        content |= {"text/event-stream": {"schema": _stream(operation, operation.event)}}
        told = "The answer; server-sent events where stream is true."
    answers = {"200": {"description": told, "content": content}, **_refusals(operation, dialect)}
    described: dict[str, Any] = {
        "operationId": f"{operation.name}.{dialect.value}",
        "summary": operation.summary,
        "security": [{"token": [scope]} for scope in operation.scopes],
        "responses": answers,
    }
    if operation.forms:
        body = {"required": True, "content": _json(operation.forms[dialect].shape)}
        return described | {"parameters": [IDEMPOTENCY_KEY], "requestBody": body}
    asked = [ID] if "{id}" in operation.path else []
    if operation.query is not None:
        asked += parameters(operation.query, schemas[operation.query.__name__])
    return described | {"parameters": asked}


def _stream(operation: Operation, event: type) -> dict[str, Any]:
    """An event of a stream. OpenAPI 3.1 has no word for a sequence; each event has this form."""
    payload = {
        "type": "string",
        "description": "A chunk, or an error, which ends the stream.",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": [_ref(event), _ref(operation.errors.shape)]},
    }
    if not operation.done:
        return {"type": "object", "required": ["data"], "properties": {"data": payload}}
    data = {"anyOf": [payload, {"const": "[DONE]", "description": "After the last chunk."}]}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def _refusals(operation: Operation, dialect: Dialect) -> dict[str, Any]:
    """Each status that it may be answered with, and the codes that it may carry."""
    never = OF_OPERATORS | OF_PAYMENTS
    never = never - {Errors.NO_SUCH_OBJECT} if operation.name in OF_KEPT else never
    never = never if operation.forms else never | OF_BODIES
    never = never if operation.name in CONVERSING else never | OF_CONVERSATIONS
    if not operation.forms or dialect is Dialect.DOCUMENTED:
        never = never | {Errors.SERVICE_UNAVAILABLE, Errors.UNSUPPORTED_PARAMETER}
    codes: dict[int, list[str]] = {}
    form = operation.errors
    for error in Errors:
        if error not in never:
            status = form.status(ApiError(error, ""))
            codes.setdefault(status, []).append(error.value.code)
    return {
        str(status): {"description": ", ".join(dict.fromkeys(names)), "content": _json(form.shape)}
        for status, names in sorted(codes.items())
    }


def _json(shape: type) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(shape)}}


def _ref(shape: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
