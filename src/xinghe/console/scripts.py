"""What scripts of ours ask, beside pages: refusals come as JSON, of the API's own form."""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from xinghe.api.elsewhere import REQUEST_ID
from xinghe.api.errors import ErrorAnswer, ErrorDetail, as_api_error
from xinghe.api.exchange import linger
from xinghe.console.calls import Refused
from xinghe.console.page import NotServed, Page, SignInNeeded

MARK = "x-mark"
"""The header with a form's mark. No page of another site can send it: there is no CORS here."""
SIGN_IN = "sign_in_needed"
NOT_TAKEN = "not_taken"


async def told_to_script(page: Page, served: Awaitable[Response]) -> Response:
    """What was served, or why it was not."""
    request_id = page.request.scope[REQUEST_ID]
    try:
        return await served
    except SignInNeeded:
        text = page.text("登录已经结束。请重新登录。", "You are signed out. Please sign in again.")
        return _told(401, ErrorDetail(SIGN_IN, text, "access_denied"), request_id)
    except NotServed as refused:
        text = page.text(refused.chinese, refused.english)
        detail = ErrorDetail(NOT_TAKEN, text, "invalid_request_error")
        return _told(refused.status, detail, request_id)
    except Refused as refused:
        return _told(refused.status, refused.told.error, refused.request_id)
    except ClientDisconnect:
        raise
    except Exception as fault:  # as at the edge: whatever happened below, somebody is told
        error = as_api_error(fault, request_id)
        return _told(error.row.status, error.body(request_id).error, request_id)


def _told(status: int, detail: ErrorDetail, request_id: str) -> Response:
    return _Early(msgspec.json.encode(ErrorAnswer(detail, request_id)), status)


class _Early(Response):
    """An answer before the body was read."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["connection"] = "close"
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await linger(receive)
        await send({"type": "http.response.body", "body": b""})
