"""What a page's folder tells the edge: at which paths it answers, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import msgspec
from starlette.responses import Response

from xinghe.console.page import Page

MOST_OF_FORM = 64 * 1024
"""Bytes."""
MOST_OF_TEXTS = 512 * 1024
"""Bytes of a form with long texts: a sign of Chinese takes nine."""

Work: TypeAlias = Callable[[Page], Awaitable[Response]]


class Route(msgspec.Struct, frozen=True):
    """A handler and its path; `{name}` in it is one of `page.request.path_params`.

    A POST changes something: it is taken from a form of ours alone. Whoever has no session is sent
    to sign in, but where the route is `open`. One that `waits` for others than us, or for work that
    is bounded elsewhere, takes no place among the pages at work. One that is `raw` comes from a
    script of ours: the form's mark stands in the header `X-Mark`, and the handler has the body.
    `most` are the bytes of a form, of whoever has a session; the others' are of the usual size.
    """

    method: Literal["GET", "POST"]
    path: str
    work: Work
    open: bool = False
    waits: bool = False
    raw: bool = False
    most: int = MOST_OF_FORM
