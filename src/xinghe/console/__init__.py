"""The web pages, for browsers: `/`, `/console/…` and `/docs`.

A page is made of what the API answers: `calls` asks it in the same process, with the rights of the
session behind the browser's cookie. So a program can get all that a page shows. A folder is a page
with its handlers, its template and its test. Nothing else imports this package but `app`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.settings import Settings

if TYPE_CHECKING:
    from xinghe.console.edge import Edge

ROOTS = ("/console", "/docs")


class Console:
    """Serves `/` to browsers, `/console` and `/docs`; every other path goes to `elsewhere`.

    `api` is the whole service, asked in this process.
    """

    def __init__(self, settings: Settings, api: Callable[[], ASGIApp], elsewhere: ASGIApp) -> None:
        self._settings = settings
        self._api = api
        self._elsewhere = elsewhere
        self._edge: Edge | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._settings.console.enabled or not _is_of_pages(scope):
            await self._elsewhere(scope, receive, send)
            return
        if self._edge is None:
            # With the first page: a service that nobody looks at needs no memory for templates.
            from xinghe.console.edge import Edge  # noqa: PLC0415

            self._edge = Edge(self._settings, self._api())
        await self._edge(scope, receive, send)


def _is_of_pages(scope: Scope) -> bool:
    """`/` as well, for whoever says that he reads HTML: a program's is told where the API is."""
    if scope["type"] != "http":
        return False
    path = scope["path"]
    if path == "/":
        return any(
            name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"]
        )
    return any(path == root or path.startswith(f"{root}/") for root in ROOTS)
