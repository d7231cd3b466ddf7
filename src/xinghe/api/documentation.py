"""`GET /documentation/<page>`: the documents that sources of the local corpus point at.

Their text as it was indexed, and never as HTML: whoever wrote them, nothing of it runs.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from xinghe.api.edge import no_such_path
from xinghe.api.operations import REQUEST_ID
from xinghe.search.corpus import SERVED_AT, Corpus


def documentation_routes(corpus: Corpus) -> list[BaseRoute]:
    """A JSON 404 answers for what is not there, not public, or has a URL of its own."""

    async def document(request: Request) -> Response:
        text = await corpus.page(request.path_params["page"])
        if text is None:
            error = no_such_path(request.url.path)
            return Response(
                msgspec.json.encode(error.body(request.scope[REQUEST_ID])),
                status_code=error.row.status,
                media_type="application/json",
            )
        return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff"})

    return [Route(SERVED_AT + "{page:path}", document)]
