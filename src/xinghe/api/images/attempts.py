"""Tries a painter as often and as long as the request says (section 4.2.2)."""

from __future__ import annotations

import asyncio

import structlog

from xinghe.api.errors import ApiError, Errors
from xinghe.api.images.schema import Patience
from xinghe.images import Asked, Painter, PainterFailed, PainterUnavailable, Progress

log = structlog.get_logger(__name__)


async def painted(
    painter: Painter, asked: Asked, patience: Patience, progress: Progress
) -> list[bytes]:
    """The images. Raises `PainterError`, and `ApiError` (408) where every try took too long."""
    for failed in range(patience.retries + 1):
        if failed:
            await asyncio.sleep(patience.pause(failed))
        last = failed == patience.retries
        try:
            async with asyncio.timeout(patience.timeout):
                return await painter.paint(asked, progress)
        except PainterFailed as error:
            log.warning("image_failed", served_by=painter.served_by, error=str(error), last=last)
            if last:
                raise
        except PainterUnavailable as error:
            log.error("image_unavailable", served_by=painter.served_by, error=str(error))
            raise
        except TimeoutError:
            log.warning("image_timed_out", served_by=painter.served_by, last=last)
            if last:
                raise ApiError(
                    Errors.REQUEST_TIMEOUT,
                    f"the images were not ready within request_timeout = {patience.timeout:g} s, "
                    f"after {patience.retries} retries; fewer steps, fewer pixels or a longer "
                    "request_timeout help",
                    param="request_timeout",
                ) from None
    raise AssertionError("unreachable")
