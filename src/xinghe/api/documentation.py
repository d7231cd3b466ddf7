"""`GET /documentation/<page>`: the documents that sources of the local corpus point at.

Their text as it was indexed, and never as HTML: whoever wrote them, nothing of it runs.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from xinghe.api.edge import no_such_path
from xinghe.api.faults import as_api_error
from xinghe.api.operations import REQUEST_ID, refusal_response
from xinghe.search.corpus import SERVED_AT, Corpus
from xinghe.workers import WorkerBusy


def documentation_routes(corpus: Corpus) -> list[BaseRoute]:
    """A JSON 404 answers for what is not there, not public, or has a URL of its own."""

    async def document(request: Request) -> Response:
        try:
            text = await corpus.page(request.path_params["page"])
        except WorkerBusy as busy:
            return refusal_response(as_api_error(busy, request.scope[REQUEST_ID]), request.scope)
        if text is None:
            return refusal_response(no_such_path(request.url.path), request.scope)
        return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff"})

    return [Route(SERVED_AT + "{page:path}", document)]
