"""The one table of errors (contract, Errors; section 6 of the source).

And which row of it a client sees for what the packages below raise.
"""

import enum
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import structlog

from xinghe.accounts.asking import MemberDisabled, ask
from xinghe.accounts.rules import masked
from xinghe.api.dialect import Dialect
from xinghe.core import MICRO, Busy
from xinghe.dispatch import Away, DispatchFailed, Preempted, TooLong
from xinghe.embedding import EmbedderAway, EmbedderFailed
from xinghe.images import ImageEngineAway, ImageEngineFailed, ImageEngineUnavailable
from xinghe.images.store import StoreError
from xinghe.ledger import BudgetReached, InsufficientTokens
from xinghe.limits import RateLimited
from xinghe.storage import StorageMoved, StorageUnavailable, now
from xinghe.storage.moved import RETRY_SECONDS
from xinghe.workers import QueueFull, WorkerFailure

log = structlog.get_logger(__name__)

BUSY_SECONDS = 2.0
"""After which a queue of short calls has room again."""
_DAY = 86_400


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
    UNSUPPORTED_PARAMETER = Row(400, "invalid_request_error", "unsupported_parameter")
    IDEMPOTENCY_KEY_REUSED = Row(400, "invalid_request_error", "idempotency_key_reused")
    CONFLICT = Row(400, "invalid_request_error", "conflict")
    NO_PARAMETER_PERMISSION = Row(401, "access_denied", "no_parameter_permission")
    MODEL_NOT_PERMITTED = Row(401, "invalid_request_error", "invalid_model")
    INVALID_APPID = Row(401, "invalid_request_error", "invalid_appid")
    INVALID_TOKEN = Row(401, "invalid_request_error", "invalid_iam_token")
    INVALID_SIGNATURE = Row(401, "access_denied", "invalid_signature")
    SYSTEM_UNSAFE = Row(403, "unsafe_request", "system_unsafe")
    USER_UNSAFE = Row(403, "unsafe_request", "user_setting_unsafe")
    FUNCTIONS_UNSAFE = Row(403, "unsafe_request", "functions_unsafe")
    TOKEN_QUOTA_EXCEEDED = Row(403, "access_denied", "token_quota_exceeded")
    NOT_PERMITTED = Row(403, "access_denied", "not_permitted")
    NO_SUCH_MODEL = Row(404, "invalid_request_error", "no_such_model")
    NO_SUCH_PATH = Row(404, "invalid_request_error", "no_such_path")
    NO_SUCH_OBJECT = Row(404, "invalid_request_error", "no_such_object")
    METHOD_NOT_SUPPORTED = Row(405, "invalid_request_error", "method_not_supported")
    REQUEST_TIMEOUT = Row(408, "invalid_request_error", "request_timeout")
    CHANGED_MEANWHILE = Row(412, "invalid_request_error", "changed_meanwhile")
    REQUEST_TOO_LARGE = Row(413, "invalid_request_error", "request_too_large")
    RPM_RATE_LIMIT = Row(429, "rate_limit_exceeded", "rpm_rate_limit_exceeded")
    TPM_RATE_LIMIT = Row(429, "rate_limit_exceeded", "tpm_rate_limit_exceeded")
    PREEMPTIBLE_RATE_LIMIT = Row(429, "rate_limit_exceeded", "preemptible_rate_limit_exceeded")
    USER_RATE_LIMIT = Row(429, "rate_limit_exceeded", "user_rate_limit_exceeded")
    CLUSTER_RATE_LIMIT = Row(429, "rate_limit_exceeded", "cluster_rate_limit_exceeded")
    INTERNAL_ERROR = Row(500, "Internal_error", "internal_error")
    DISPATCH_ERROR = Row(500, "Internal_error", "dispatch_internal_error")
    SERVICE_UNAVAILABLE = Row(503, "Internal_error", "service_unavailable")


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

    `retry_after` is in whole seconds, at least one; `headers` go out with it. No `message` repeats
    an access token that somebody has put elsewhere than where it belongs.
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
        message = masked(message)
        super().__init__(message)
        self.row: Row = error.value
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.headers = headers

    def body(self, request_id: str) -> ErrorAnswer:
        row = self.row
        return ErrorAnswer(ErrorDetail(row.code, self.message, row.type, self.param), request_id)


SHOWN = 60
"""Characters of an offending value that a message repeats."""


def shown(value: Any) -> str:
    """A value as a message shows it: short, and in JSON's own words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | dict | msgspec.Struct):
        # Not its text: it may be megabytes, or nested as deeply as JSON can be.
        if isinstance(value, list):
            return "an array" if value else "an empty array"
        return "an object"
    if isinstance(value, str):
        text = f'"{value[:SHOWN]}"'.encode("utf-8", "replace").decode("utf-8")
        return text if len(value) <= SHOWN else text[:-1] + '…"'
    text = str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def refuse(field: str, value: Any, allowed: str) -> ApiError:
    return ApiError(
        Errors.MALFORMED_JSON, f"{field} is {shown(value)}, allowed: {allowed}", param=field
    )


def no_such_model(name: str, kind: str = "chat", *, param: str | None = None) -> ApiError:
    """A name that the catalog does not hold, with where the others stand and how it gets there.

    `kind` is what was asked of it.
    """
    return ApiError(
        Errors.NO_SUCH_MODEL,
        f"no such model: {name[:80]!r}; GET /models lists them all; whoever runs the service makes "
        f"one by `xinghe models use NAME SOURCE --new {kind}`",
        param=param,
    )


def unsupported(field: str, text: str) -> ApiError:
    """The refusal of what is known and not served here, or not by this model."""
    return ApiError(Errors.UNSUPPORTED_PARAMETER, text, param=field)


def stopped(request_id: str) -> ApiError:
    """The answer outlasted the grace period of a shutdown."""
    return ApiError(
        Errors.INTERNAL_ERROR,
        f"Internal error ({request_id}): the service was stopped before the answer was finished",
    )


def internal(
    request_id: str, error: Errors = Errors.INTERNAL_ERROR, retry_after: int | None = None
) -> ApiError:
    """Our own fault: says the id, by which the operator finds the rest in the log."""
    return ApiError(error, f"Internal error ({request_id})", retry_after=retry_after)


def away(request_id: str, dialect: Dialect, retry_after: float) -> ApiError:
    """Nobody who serves the model can be reached; `retry_after` in seconds."""
    seconds = max(1, math.ceil(retry_after))
    if dialect is Dialect.DOCUMENTED:
        return internal(request_id, Errors.DISPATCH_ERROR, seconds)
    text = f"nobody who serves the model can be reached ({request_id}), try again in {seconds} s"
    return ApiError(Errors.SERVICE_UNAVAILABLE, text, retry_after=seconds)


LIMITS = {
    "rpm": (Errors.RPM_RATE_LIMIT, "Rate limit reached for RPM"),
    "tpm": (Errors.TPM_RATE_LIMIT, "Rate limit reached for TPM"),
    "qps": (Errors.USER_RATE_LIMIT, "qps request limit by APP ID reached"),
    "concurrent": (Errors.USER_RATE_LIMIT, "concurrent request limit reached"),
}
CLUSTER_FULL = "request limit by resouce cluster reached"
"""The source's own texts (section 6), with its slip of the pen."""


def as_api_error(
    fault: BaseException, request_id: str, dialect: Dialect = Dialect.DOCUMENTED
) -> ApiError:
    """The row of the table for a fault; what is not expected is logged with its traceback."""
    if isinstance(fault, Away | EmbedderAway | ImageEngineAway):
        return away(request_id, dialect, fault.retry_after)
    if isinstance(fault, StorageMoved):
        return away(request_id, dialect, RETRY_SECONDS)
    known = _expected(fault)
    if known is None:
        log.error("internal_error", exc_info=fault)
        return internal(request_id)
    return known if isinstance(known, ApiError) else internal(request_id, known)


def _expected(fault: BaseException) -> ApiError | Errors | None:
    """The refusal; or the row alone, where a client is told no more than the request's id."""
    known: ApiError | Errors | None = None
    match fault:
        case ApiError():
            known = fault
        case InsufficientTokens():
            known = not_covered(fault)
        case MemberDisabled():
            chinese, english = ask(fault.managers)
            known = ApiError(
                Errors.INVALID_TOKEN,
                f"The member is disabled: {english}. 成员已被停用，{chinese}。",
            )
        case TooLong():
            most = f" of {fault.context}" if fault.context else ""
            known = ApiError(
                Errors.TOKENS_TOO_LONG,
                f"Prompt tokens too long: the prompt has about {fault.tokens} tokens, which with "
                f"its answer are more than the deployment's context{most} holds",
                param="messages",
            )
        case RateLimited():
            error, text = LIMITS[fault.kind]
            text = f"{text} ({fault.limit} of {fault.scope})"
            known = too_many(error, text, fault.retry_after, fault.headers)
        case Preempted():
            text = "Rate limit reached for preemptible resource"
            known = too_many(Errors.PREEMPTIBLE_RATE_LIMIT, text, fault.retry_after)
        case Busy() | QueueFull():
            seconds = BUSY_SECONDS if isinstance(fault, QueueFull) else fault.retry_after
            known = too_many(Errors.CLUSTER_RATE_LIMIT, CLUSTER_FULL, seconds)
        case DispatchFailed() | EmbedderFailed() | ImageEngineFailed() | ImageEngineUnavailable():
            known = Errors.DISPATCH_ERROR
        case StoreError() | StorageUnavailable() | WorkerFailure():
            _log_ours(fault)
            known = Errors.INTERNAL_ERROR
    return known


def not_covered(fault: InsufficientTokens, managers: Sequence[str] = ()) -> ApiError:
    """Wallets that do not cover a request; who may ask whom for more."""
    left, needed = (f"{each / MICRO:.6g}" for each in (fault.available, fault.needed))
    chinese, english = ask(managers)
    return ApiError(
        Errors.TOKEN_QUOTA_EXCEEDED,
        f"the Tokens of the wallets do not cover the request: {left} available, {needed} needed at "
        f"most; {english}. 余额不够这次请求：可用 {left} Token，最多需要 {needed}；{chinese}。",
    )


def over_budget(
    reached: BudgetReached, max_tokens: int, output_rate: int, managers: Sequence[str] = ()
) -> ApiError:
    """A request that does not fit into a window of a budget; `managers` may be asked.

    `max_tokens` is the most that it was to generate (0: nothing is generated), at `output_rate`.
    """
    budget, window = reached.budget, reached.budget.window
    span = "in total" if window.per == "total" else f"in each {window.per}"
    zone = "" if window.rolling or window.per == "total" else f" ({window.zone})"
    if window.rolling:
        span = f"in any {window.per}"
    if budget.unit == "requests":
        text = f"the budget of {budget.whose}, {budget.amount} requests {span}{zone}, is used up"
        text += _asked(reached, managers)
        if reached.opens_at is None:
            return ApiError(Errors.USER_RATE_LIMIT, text, retry_after=_DAY)
        return too_many(Errors.USER_RATE_LIMIT, text, (reached.opens_at - now()) / MICRO)
    rest = max(0, budget.amount - reached.used)
    text = (
        f"the budget of {budget.whose}, {budget.amount / MICRO:.6g} Tokens {span}{zone}, does not "
        f"cover the request: {rest / MICRO:.6g} left, {reached.needed / MICRO:.6g} needed at most"
    )
    if reached.opens_at is not None:
        moment = datetime.fromtimestamp(reached.opens_at // MICRO, ZoneInfo(window.zone))
        text += f", which it has again at {moment.isoformat()}"
    if max_tokens and output_rate:
        fits = max_tokens - -(-(reached.needed - rest) // output_rate)
        if fits > 0:
            text += f"; the largest max_tokens that fits is {fits}"
    text += _asked(reached, managers)
    return ApiError(Errors.TOKEN_QUOTA_EXCEEDED, text)


_WHOSE = {"the access token": "访问令牌", "the member": "你", "the service": "整个服务"}
_EACH = {"hour": "每小时", "day": "每天", "week": "每周", "month": "每月", "total": "总共"}
_ROLLING = {"hour": "任一小时", "day": "任一天", "week": "任七天", "month": "任三十天"}


def _asked(reached: BudgetReached, managers: Sequence[str]) -> str:
    """Whom to ask; and all of it in Chinese: what is used up, until when, whom to ask."""
    budget, window = reached.budget, reached.budget.window
    chinese, english = ask(managers)
    whose = _WHOSE.get(budget.whose) or budget.whose.replace("the group ", "组 ", 1)
    span = (_ROLLING if window.rolling else _EACH)[window.per]
    amount = f"{budget.amount} 次请求"
    state = "用完了"
    if budget.unit == "tokens":
        amount = f"{budget.amount / MICRO:.6g} Token"
        rest = max(0, budget.amount - reached.used)
        state = f"不够这次请求：剩 {rest / MICRO:.6g}，最多需要 {reached.needed / MICRO:.6g}"
    told = f"; {english}. {whose}的预算（{span} {amount}）{state}"
    if reached.opens_at is not None:
        moment = datetime.fromtimestamp(reached.opens_at // MICRO, ZoneInfo(window.zone))
        told += f"；{moment:%Y-%m-%d %H:%M}（{window.zone}）起又有"
    return f"{told}；{chinese}。"


def _log_ours(fault: StoreError | StorageUnavailable | WorkerFailure) -> None:
    match fault:
        case WorkerFailure():
            # Long texts that could not be looked through, above all: they never pass unseen. What
            # the failure says may quote them.
            log.error("worker_failed", reason=type(fault).__name__)
        case StoreError():
            log.error("images_not_stored", error=str(fault))
        case StorageUnavailable():
            log.error("not_written", error=str(fault))


def too_many(
    error: Errors, text: str, retry_after: float, headers: Sequence[tuple[str, str]] = ()
) -> ApiError:
    """A refusal for now; `retry_after` in seconds."""
    seconds = max(1, math.ceil(retry_after))
    message = f"{text}, try again in {seconds} s"
    return ApiError(error, message, retry_after=seconds, headers=headers)
