"""Errors in Anthropic's form (contract, Responses and Messages)."""

from typing import Literal

import msgspec

from xinghe.api.error_form import ErrorForm
from xinghe.api.errors import ApiError, Errors

OVERLOADED = 529
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    OVERLOADED: "overloaded_error",
}
"""By status; whatever else is refused is an `invalid_request_error`."""


class MessageErrorDetail(msgspec.Struct):
    """What is wrong; the message names the field, as Anthropic calls it."""

    type: str
    message: str


class MessageError(msgspec.Struct):
    """The body of a refusal, and the event that ends a stream."""

    type: Literal["error"]
    error: MessageErrorDetail
    request_id: str


class MessageErrors(ErrorForm):
    """Anthropic's."""

    shape = MessageError

    def status(self, error: ApiError) -> int:
        away = error.row == Errors.SERVICE_UNAVAILABLE.value
        return OVERLOADED if away else error.row.status

    def body(self, error: ApiError, request_id: str) -> MessageError:
        kind = TYPES.get(self.status(error), "invalid_request_error")
        return MessageError("error", MessageErrorDetail(kind, error.message), request_id)

    def event(self, error: ApiError, request_id: str) -> bytes:
        data = msgspec.json.encode(self.body(error, request_id))
        return b"event: error\ndata: " + data + b"\n\n"


MESSAGE_ERRORS = MessageErrors()
