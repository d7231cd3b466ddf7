"""`GET /images/<name>.png`: an image behind its URL. No token is asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from xinghe.api.elsewhere import read_route, refusal_response
from xinghe.api.errors import ApiError, Errors
from xinghe.images.store import ImageStore


def image_routes(store: ImageStore) -> list[BaseRoute]:
    """A JSON 404 answers for what never was, has expired, or is no name of an image at all."""

    async def image(request: Request) -> Response:
        found = await store.open(request.path_params["name"])
        if found is None:
            error = ApiError(Errors.NO_SUCH_PATH, "no image is here: it expired, or never was")
            return refusal_response(error, request.scope)
        opened, left = found
        headers = {
            "content-length": str(opened.size),
            "cache-control": f"public, max-age={int(left)}, immutable",
            "x-content-type-options": "nosniff",
            "access-control-allow-origin": "*",
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type="image/png")
        return StreamingResponse(opened.pieces, headers=headers, media_type="image/png")

    return [read_route("/images/{name}", image)]
