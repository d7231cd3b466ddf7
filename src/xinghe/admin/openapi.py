"""`/admin/v1/openapi.json`: made of the table of operations, of rights, and of the Structs."""

from functools import cache
from typing import Any

import msgspec

from xinghe import __version__
from xinghe.accounts.rights import RIGHTS
from xinghe.accounts.rules import PUBLIC_ID
from xinghe.admin.operation import Operation
from xinghe.admin.table import OPERATIONS
from xinghe.api.errors import ErrorAnswer, Errors
from xinghe.api.idempotency import KEY
from xinghe.api.openapi import components
from xinghe.api.query import parameters
from xinghe.upkeep import NAME

MOUNT = "/admin/v1"
SCOPE = "admin"

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same body again with the same key changes nothing more.",
    "schema": {"type": "string", "pattern": KEY.pattern, "maxLength": 255},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an answer: nothing is changed if anybody has changed it since.",
    "schema": {"type": "string", "pattern": r'^(\*|"?[0-9]{1,18}"?)$'},
}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
_NAME = {"type": "string", "minLength": 1, "maxLength": 64}
_PLACES = {
    "member": {**_NAME, "description": "A member's id (`app-…`) or name."},
    "group": {**_NAME, "description": "A group's id, or its name where that is no number."},
    "token": {"type": "string", "pattern": PUBLIC_ID},
    "wallet": _NUMBER,
    "package": _NUMBER,
    "order": {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{16}$"},
    "budget": _NUMBER,
    "version": _NUMBER,
    "batch": _NUMBER,
    "invitation": _NUMBER,
    "backup": {"type": "string", "pattern": f"^{NAME.pattern}$", "description": "A file's name."},
}
_REFUSALS = {
    400: (Errors.MALFORMED_JSON, Errors.CONFLICT, Errors.IDEMPOTENCY_KEY_REUSED),
    401: (Errors.INVALID_TOKEN, Errors.NO_PARAMETER_PERMISSION, Errors.INVALID_APPID),
    403: (Errors.NOT_PERMITTED,),
    404: (Errors.NO_SUCH_OBJECT, Errors.NO_SUCH_PATH),
    405: (Errors.METHOD_NOT_SUPPORTED,),
    408: (Errors.REQUEST_TIMEOUT,),
    412: (Errors.CHANGED_MEANWHILE,),
    413: (Errors.REQUEST_TOO_LARGE,),
    429: (Errors.USER_RATE_LIMIT, Errors.RPM_RATE_LIMIT, Errors.CLUSTER_RATE_LIMIT),
    500: (Errors.INTERNAL_ERROR,),
}


@cache
def document() -> bytes:
    """OpenAPI 3.1: every operation, and who may call it."""
    shapes: list[Any] = [ErrorAnswer]
    for each in OPERATIONS:
        shapes += [each.answer]
        shapes += [form.shape for form in (each.form, each.query) if form is not None]
    schemas = components(shapes)
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(MOUNT + each.path, {})[each.method.lower()] = _described(each, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "星河大模型API: operators", "version": __version__},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"token": [SCOPE]}],
        }
    )


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    right = RIGHTS[operation.name]
    told = [f"For: {', '.join(sorted(right.who))}."]
    told += [f"`{name}` for: {', '.join(sorted(who))}." for name, who in right.fields.items()]
    given = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": _PLACES[part[1:-1]]}
        for part in operation.path.split("/")
        if part.startswith("{")
    ]
    if operation.query is not None:
        shape = operation.query.shape
        given += parameters(shape, schemas[shape.__name__])
    given += [_KEY] if operation.repeatable else []
    given += [_IF_MATCH] if operation.conditional else []
    described = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": " ".join(told),
        "parameters": given,
        "responses": {
            "200": {"description": "Done.", "content": _json(operation.answer)},
            **{
                str(status): {
                    "description": ", ".join(each.value.code for each in errors),
                    "content": _json(ErrorAnswer),
                }
                for status, errors in _REFUSALS.items()
            },
        },
    }
    if operation.form is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.form.shape)}
    return described


def _json(shape: type) -> dict[str, Any]:
    ref = {"$ref": f"#/components/schemas/{shape.__name__}"}
    return {"application/json": {"schema": ref}}
