"""One request of a browser for a page: who asks, in which language, and how it is answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from xinghe.api.auth.schema import SessionShown
from xinghe.console.browser import Browser
from xinghe.console.calls import Calls
from xinghe.console.guard import mark
from xinghe.console.menu import Section, administration
from xinghe.console.rendering import Rendering

HOME = "/console/"
_OURS = re.compile(r"/(?:console|docs)(?:[/?][\x21-\x5b\x5d-\x7e]*)?|/")
"""Paths that a page may send its browser on to."""


def asked(request: Request) -> str:
    """Path and query of what was asked for, as they stand in a URL."""
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.scope["path"]) + (f"?{query}" if query else "")


class NotServed(Exception):
    """The pages refuse by themselves; the texts say why, in both languages."""

    def __init__(self, status: int, chinese: str, english: str) -> None:
        super().__init__(english)
        self.status = status
        self.chinese = chinese
        self.english = english


class SignInNeeded(Exception):
    """A page is asked for that needs a session, and there is none any more."""


class Page(msgspec.Struct):
    """A request of a browser, and what its handler needs to answer it.

    `api` asks the API with the rights of the browser's session. `form` is what a form sent, empty
    for a GET. `base_url` is where programs reach the service.
    """

    request: Request
    browser: Browser
    api: Calls
    rendering: Rendering
    form: FormData
    base_url: str
    current: SessionShown | None = None

    @property
    def session(self) -> SessionShown:
        """Whose page it is. Raises `SignInNeeded`."""
        if self.current is None:
            raise SignInNeeded
        return self.current

    @property
    def member(self) -> str:
        """The API's path of the member whose page it is. Raises `SignInNeeded`."""
        return f"/admin/v1/members/{self.session.member.id}"

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def partial(self) -> bool:
        """Whether htmx asks, which takes a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def field(self, name: str) -> str:
        """What a form sent as a field, without the blanks around it; empty if it sent none."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def password(self, name: str) -> str:
        """What a form sent as a secret, with the blanks that may belong to it."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def once(self, *names: str) -> str:
        """An Idempotency-Key: a form that comes twice is one, filled in otherwise it is another."""
        typed = repr([self.field(name) for name in names]).encode()
        return f"{self.field('once')[:64]}-{hashlib.sha256(typed).hexdigest()[:32]}"

    def text(self, chinese: str, english: str) -> str:
        """The one of the two that the browser's person reads."""
        return english if self.browser.language == "en" else chinese

    def render(self, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """A page, or the part of one, made of a template (`tokens/page.html`)."""
        return HTMLResponse(self.html(template, **values), status)

    def html(self, template: str, /, **values: Any) -> str:
        """What a template says."""
        return self.rendering.render(template, self.browser, page=self, **values)

    def go(self, path: str) -> Response:
        """Send the browser to another page."""
        if self.partial:  # which would be put where the part belongs
            return Response(headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)

    @property
    def next(self) -> str:
        """Where to go on: a page of ours, as the form or the URL says; else the overview."""
        wanted = self.field("next") or self.query.get("next", "")
        return wanted if _OURS.fullmatch(wanted) else HOME

    @property
    def administration(self) -> Section | None:
        """The section of the menu that not everybody has."""
        return administration(self.current)

    def is_at(self, path: str) -> bool:
        """Whether the page belongs to what begins at a path of the menu."""
        here: str = self.request.scope["path"]
        return here == path if path == HOME else here == path or here.startswith(f"{path}/")

    def switched(self, **choice: str) -> str:
        """The URL that remembers a language or theme, and comes back here."""
        request = self.request
        here = asked(request) if request.method in ("GET", "HEAD") else HOME
        return "/console/prefer?" + urlencode(choice | {"next": here})

    @property
    def mark(self) -> str:
        """What every form sends back as `mark`."""
        return mark(self.browser.secret)
