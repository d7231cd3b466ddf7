"""`/payments/openapi.json`."""

from typing import Any

import msgspec

from xinghe import __version__
from xinghe.api.errors import ErrorAnswer, Errors
from xinghe.api.openapi import components
from xinghe.api.payments.schema import PaymentEvent, PaymentReceived
from xinghe.sales.payment.webhook import ID, SIGNATURE, TIMESTAMP

_REFUSALS = (
    Errors.MALFORMED_JSON, Errors.INVALID_SIGNATURE, Errors.NO_SUCH_PATH,
    Errors.METHOD_NOT_SUPPORTED, Errors.REQUEST_TIMEOUT, Errors.REQUEST_TOO_LARGE,
    Errors.USER_RATE_LIMIT, Errors.CLUSTER_RATE_LIMIT, Errors.INTERNAL_ERROR,
)  # fmt: skip
_HEADERS = {
    ID: "The event's own id, the same whenever it is sent.",
    TIMESTAMP: "When it is sent: seconds since 1970, at most five minutes ago.",
    SIGNATURE: "`v1,` and base64 of HMAC-SHA256; several with spaces between.",
}


def document(path: str) -> bytes:
    """OpenAPI 3.1."""
    codes: dict[int, list[str]] = {}
    for error in _REFUSALS:
        codes.setdefault(error.value.status, []).append(error.value.code)
    refusals = {
        str(status): {"description": ", ".join(names), "content": _json(ErrorAnswer)}
        for status, names in codes.items()
    }
    parameters: list[dict[str, Any]] = [
        {"name": "provider", "in": "path", "required": True, "schema": {"type": "string"}}
    ]
    parameters += [
        {"name": name, "in": "header", "required": True, "description": told,
         "schema": {"type": "string"}}
        for name, told in _HEADERS.items()
    ]  # fmt: skip
    operation = {
        "operationId": "payments.receive",
        "summary": "What a payment provider tells of a payment, signed as Standard Webhooks says",
        "parameters": parameters,
        "requestBody": {"required": True, "content": _json(PaymentEvent)},
        "responses": {
            "200": {"description": "It is received.", "content": _json(PaymentReceived)},
            **refusals,
        },
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "星河大模型API: payments", "version": __version__},
            "paths": {path: {"post": operation}},
            "components": {"schemas": components([ErrorAnswer, PaymentEvent, PaymentReceived])},
        }
    )


def _json(shape: type) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
