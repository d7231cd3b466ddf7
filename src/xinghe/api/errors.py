"""The one table of errors (contract, Errors; section 6 of the source)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Row(NamedTuple):
    """HTTP status, type and code, as a client sees them."""

    status: int
    type: str
    code: str


class Errors(enum.Enum):
    """Every refusal that a client can meet."""

    MALFORMED_JSON = Row(400, "invalid_request_error", "malformed_json")
    MODEL_EMPTY = Row(400, "invalid_request_error", "invalid_model")
    INVALID_MESSAGES = Row(400, "invalid_request_error", "invalid_messages")
    CHARACTERS_TOO_LONG = Row(400, "invalid_request_error", "characters_too_long")
    TOKENS_TOO_LONG = Row(400, "invalid_request_error", "tokens_too_long")
    INVALID_USER_ID = Row(400, "invalid_request_error", "invalid_user_id")
    IDEMPOTENCY_KEY_REUSED = Row(400, "invalid_request_error", "idempotency_key_reused")
    NO_PARAMETER_PERMISSION = Row(401, "access_denied", "no_parameter_permission")
    MODEL_NOT_PERMITTED = Row(401, "invalid_request_error", "invalid_model")
    INVALID_APPID = Row(401, "invalid_request_error", "invalid_appid")
    INVALID_TOKEN = Row(401, "invalid_request_error", "invalid_iam_token")
    SYSTEM_UNSAFE = Row(403, "unsafe_request", "system_unsafe")
    USER_UNSAFE = Row(403, "unsafe_request", "user_setting_unsafe")
    FUNCTIONS_UNSAFE = Row(403, "unsafe_request", "functions_unsafe")
    TOKEN_QUOTA_EXCEEDED = Row(403, "access_denied", "token_quota_exceeded")
    NO_SUCH_MODEL = Row(404, "invalid_request_error", "no_such_model")
    NO_SUCH_PATH = Row(404, "invalid_request_error", "no_such_path")
    METHOD_NOT_SUPPORTED = Row(405, "invalid_request_error", "method_not_supported")
    REQUEST_TIMEOUT = Row(408, "invalid_request_error", "request_timeout")
    REQUEST_TOO_LARGE = Row(413, "invalid_request_error", "request_too_large")
    RPM_RATE_LIMIT = Row(429, "rate_limit_exceeded", "rpm_rate_limit_exceeded")
    TPM_RATE_LIMIT = Row(429, "rate_limit_exceeded", "tpm_rate_limit_exceeded")
    PREEMPTIBLE_RATE_LIMIT = Row(429, "rate_limit_exceeded", "preemptible_rate_limit_exceeded")
    USER_RATE_LIMIT = Row(429, "rate_limit_exceeded", "user_rate_limit_exceeded")
    CLUSTER_RATE_LIMIT = Row(429, "rate_limit_exceeded", "cluster_rate_limit_exceeded")
    INTERNAL_ERROR = Row(500, "Internal_error", "internal_error")
    DISPATCH_ERROR = Row(500, "Internal_error", "dispatch_internal_error")


class ErrorDetail(msgspec.Struct, omit_defaults=True):
    """`param` stands only where one field is to blame."""

    code: str
    message: str
    type: str
    param: str | None = None


class ErrorAnswer(msgspec.Struct):
    """The body of every refusal."""

    error: ErrorDetail
    id: str


class ApiError(Exception):
    """A refusal on its way to the client.

    `retry_after` is in whole seconds, at least one; `headers` go out with it.
    """

    def __init__(
        self,
        error: Errors,
        message: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.row: Row = error.value
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.headers = headers

    def body(self, request_id: str) -> ErrorAnswer:
        row = self.row
        return ErrorAnswer(ErrorDetail(row.code, self.message, row.type, self.param), request_id)


def stopped(request_id: str) -> ApiError:
    """The answer outlasted the grace period of a shutdown."""
    return ApiError(
        Errors.INTERNAL_ERROR,
        f"Internal error ({request_id}): the service was stopped before the answer was finished",
    )


def internal(request_id: str, error: Errors = Errors.INTERNAL_ERROR) -> ApiError:
    """Our own fault: says the id, by which the operator finds the rest in the log."""
    return ApiError(error, f"Internal error ({request_id})")
