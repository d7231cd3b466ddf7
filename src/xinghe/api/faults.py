"""What the rooms below may raise, as the refusal that a client sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import structlog

from xinghe.api.budget import WAIT_SECONDS, BudgetExceeded
from xinghe.api.errors import ApiError, Errors, internal
from xinghe.core import MICRO
from xinghe.dispatch.dispatcher import ClusterFull, DispatchFailed, Yielding
from xinghe.embedding import EmbedderBusy, EmbedderFailed
from xinghe.generation.vetting import VettingBusy
from xinghe.images import PainterBusy, PainterFailed, PainterUnavailable
from xinghe.images.store import StoreError
from xinghe.ledger import InsufficientTokens, SpendCapReached
from xinghe.limits import RateLimited
from xinghe.storage import StorageUnavailable
from xinghe.workers import WorkerBusy, WorkerFailure

log = structlog.get_logger(__name__)

BUSY_SECONDS = 2.0
"""After which a queue of short calls has room again."""

LIMITS = {
    "rpm": (Errors.RPM_RATE_LIMIT, "Rate limit reached for RPM"),
    "tpm": (Errors.TPM_RATE_LIMIT, "Rate limit reached for TPM"),
    "qps": (Errors.USER_RATE_LIMIT, "qps request limit by APP ID reached"),
}
"""The source's own texts (section 6); so is the cluster's, with its slip of the pen."""


def as_api_error(fault: BaseException, request_id: str) -> ApiError:
    """The row of the table for a fault; what is not expected is logged with its traceback."""
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
            known = ApiError(
                Errors.TOKEN_QUOTA_EXCEEDED,
                f"the account's Tokens do not cover the request: {fault.available / MICRO:.6g} "
                f"available, {fault.needed / MICRO:.6g} needed at most",
            )
        case SpendCapReached():
            known = ApiError(
                Errors.TOKEN_QUOTA_EXCEEDED,
                f"the access token's cap of {fault.cap / MICRO:.6g} Tokens ({fault.period}) is "
                f"reached: {fault.spent / MICRO:.6g} spent or held, "
                f"{fault.needed / MICRO:.6g} needed at most",
            )
        case RateLimited():
            error, text = LIMITS[fault.kind]
            text = f"{text} ({fault.limit})"
            known = _too_many(error, text, fault.retry_after, fault.headers())
        case ClusterFull() | EmbedderBusy() | PainterBusy() | VettingBusy() | WorkerBusy():
            text = "request limit by resouce cluster reached"
            seconds = BUSY_SECONDS if isinstance(fault, WorkerBusy) else fault.retry_after
            known = _too_many(Errors.CLUSTER_RATE_LIMIT, text, seconds)
        case BudgetExceeded():
            text = (
                "request limit by resouce cluster reached: the bodies and pictures of the requests "
                "at work take all of their room"
            )
            known = _too_many(Errors.CLUSTER_RATE_LIMIT, text, WAIT_SECONDS)
        case Yielding():
            text = "Rate limit reached for preemptible resource"
            known = _too_many(Errors.PREEMPTIBLE_RATE_LIMIT, text, fault.retry_after)
        case DispatchFailed() | EmbedderFailed() | PainterFailed() | PainterUnavailable():
            known = Errors.DISPATCH_ERROR
        case StoreError() | StorageUnavailable() | WorkerFailure():
            _log_ours(fault)
            known = Errors.INTERNAL_ERROR
    return known


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


def _too_many(
    error: Errors, text: str, retry_after: float, headers: Sequence[tuple[str, str]] = ()
) -> ApiError:
    seconds = max(1, math.ceil(retry_after))
    message = f"{text}, try again in {seconds} s"
    return ApiError(error, message, retry_after=seconds, headers=headers)
