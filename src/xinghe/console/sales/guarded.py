"""What is the operators' alone."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.console.page import Page
from xinghe.console.route import Work


def operators(work: Work) -> Work:
    """A handler that others are shown no form of. What they ask the API for, it refuses anyhow."""

    async def guarded(page: Page) -> Response:
        session = page.session
        if not session.member.operator or "admin" not in session.scopes:
            return page.render("sales/closed.html", status=403)
        return await work(page)

    return guarded
