"""`/auth/v1/openapi.json`: made of the routes and the Structs."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from xinghe import __version__
from xinghe.api.auth.route import Route
from xinghe.api.errors import ErrorAnswer, Errors

_REFUSALS = (
    Errors.MALFORMED_JSON, Errors.NO_PARAMETER_PERMISSION, Errors.INVALID_TOKEN,
    Errors.NO_SUCH_PATH, Errors.METHOD_NOT_SUPPORTED, Errors.REQUEST_TIMEOUT,
    Errors.REQUEST_TOO_LARGE, Errors.USER_RATE_LIMIT, Errors.CLUSTER_RATE_LIMIT,
    Errors.INTERNAL_ERROR, Errors.DISPATCH_ERROR,
)  # fmt: skip


def document(mount: str, routes: Sequence[Route]) -> bytes:
    """OpenAPI 3.1."""
    shapes: list[type] = [ErrorAnswer]
    shapes += [kind for each in routes for kind in (each.answer, each.shape) if kind is not None]
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for each in routes:
        paths.setdefault(mount + each.path, {})[each.method.lower()] = _described(each)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "星河大模型API: sign-in", "version": __version__},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _described(route: Route) -> Mapping[str, Any]:
    codes: dict[int, list[str]] = {}
    for error in _REFUSALS:
        codes.setdefault(error.value.status, []).append(error.value.code)
    answers = {
        str(status): {"description": ", ".join(names), "content": _json(ErrorAnswer)}
        for status, names in codes.items()
    }
    if route.answer is None:
        answers["303"] = {"description": "The browser is sent on."}
    else:
        answers["200"] = {"description": route.summary, "content": _json(route.answer)}
    described: dict[str, Any] = {
        "operationId": f"auth.{route.name}",
        "summary": route.summary,
        "responses": answers,
    }
    if route.shape is not None:
        described["requestBody"] = {"required": True, "content": _json(route.shape)}
    if route.session:
        described["security"] = [{"session": []}]
    return described


def _json(shape: type) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
