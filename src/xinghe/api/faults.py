"""What the rooms below may raise, as the refusal that a client sees."""

from __future__ import annotations

import structlog

from xinghe.api.errors import ApiError, Errors, internal
from xinghe.core import MICRO
from xinghe.dispatch.dispatcher import ClusterFull, DispatchFailed
from xinghe.ledger.errors import InsufficientTokens

log = structlog.get_logger(__name__)


def as_api_error(fault: BaseException, request_id: str) -> ApiError:
    """The row of the table for a fault; what is not expected is logged with its traceback."""
    match fault:
        case ApiError():
            return fault
        case InsufficientTokens():
            return ApiError(
                Errors.TOKEN_QUOTA_EXCEEDED,
                f"the account's Tokens do not cover the request: {fault.available / MICRO:.6g} "
                f"available, {fault.needed / MICRO:.6g} needed at most",
            )
        case ClusterFull():
            return ApiError(
                Errors.CLUSTER_RATE_LIMIT,
                f"request limit by resource cluster reached, try again in {fault.retry_after:g} s",
                retry_after=fault.retry_after,
            )
        case DispatchFailed():
            return internal(request_id, Errors.DISPATCH_ERROR)
    log.error("internal_error", exc_info=fault)
    return internal(request_id)
