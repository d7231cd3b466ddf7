"""A browser without scripts: keeps cookies, follows redirects, fills in forms as they stand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from lxml import html

from tests.kit.raw import Connection, Reply


class Shown:
    """An answer; `document` is its parsed HTML."""

    def __init__(self, url: str, reply: Reply) -> None:
        self.url = url
        self.reply = reply
        self.status = reply.status
        self.document = html.document_fromstring(reply.text or "<p></p>")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        """What a person reads, with single blanks."""
        for script in self.document.xpath("//script|//style"):
            script.drop_tree()
        return " ".join(self.document.text_content().split())

    def all(self, selector: str) -> list[Any]:
        """Elements by CSS selector."""
        return list(self.document.cssselect(selector))

    def texts(self, selector: str) -> list[str]:
        return [" ".join(each.text_content().split()) for each in self.all(selector)]


_NUMBERS = itertools.count(1)


class Visitor:
    """One person's browser at one service; `headers` go with every request.

    A service that trusts this machine as its proxy takes each for somebody at an address of his
    own: sign-ins of one address are slowed.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        number = next(_NUMBERS)
        self.headers = {
            "Accept": "text/html",
            "Accept-Language": "zh-CN",
            "X-Forwarded-For": f"198.18.{number // 250}.{number % 250 + 1}",
            **(headers or {}),
        }
        self.cookies: dict[str, str] = {}

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, *, follow: bool = True
    ) -> Shown:
        return self._ask("GET", path, None, headers or {}, follow=follow)

    def post(
        self,
        path: str,
        fields: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        follow: bool = True,
    ) -> Shown:
        """Send these fields, and no others."""
        body = urlencode(fields, doseq=True).encode()
        return self._ask("POST", path, body, headers or {}, follow=follow)

    def submit(self, page: Shown, action: str, /, **fields: Any) -> Shown:
        """Fill in the form that goes to `action`, whose other fields stay as they stand."""
        forms = [form for form in page.document.forms if form.get("action") == action]
        assert forms, (
            f"no form goes to {action}: {[form.get('action') for form in page.document.forms]}"
        )
        form = forms[0]
        given = dict(form.form_values()) | fields
        if (form.method or "GET") == "GET":
            return self.get(f"{action}?{urlencode(given, doseq=True)}")
        return self.post(action, given, {"Origin": self.url, "Sec-Fetch-Site": "same-origin"})

    def sign_in(self, token: str) -> Shown:
        """By an access token."""
        return self.submit(self.get("/"), "/console/sign-in/token", token=token)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        follow: bool,
    ) -> Shown:
        sent = {**self.headers, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        with Connection(self.url) as connection:
            connection.request(method, path, body, sent)
            reply = connection.reply()
        self._keep(reply)
        url = urljoin(self.url, path)
        if follow and reply.status in (302, 303):
            onward = urlsplit(urljoin(url, reply.headers["location"]))
            return self.get(onward.path + (f"?{onward.query}" if onward.query else ""))
        return Shown(url, reply)

    def _keep(self, reply: Reply) -> None:
        for line in reply.headers.get("set-cookie", "").splitlines():
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
