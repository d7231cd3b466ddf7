"""A real OpenID provider (nanoidp, in a process of its own), and a browser that signs in at it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, build_opener

from tests.kit.server import free_port

CLIENT, SECRET = "xinghe", "a-secret.of_some~length"
PEOPLE = {"alice": "through the looking-glass", "bob": "built it himself"}

_TRANSACTION = re.compile(r'name="transaction_id" value="([^"]+)"')


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """Keeps cookies, follows no redirect by itself."""

    def __init__(self) -> None:
        handlers = (HTTPCookieProcessor(CookieJar()), _NoRedirect(), ProxyHandler({}))
        self._opener = build_opener(*handlers)

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, where it leads to, and the page."""
        data = None if form is None else urlencode(form).encode()
        try:
            with self._opener.open(url, data, timeout=20) as answer:
                return answer.status, answer.headers.get("Location", ""), answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.headers.get("Location", ""), error.read().decode()


PROGRAM = """
import functools
import runpy
from cryptography.hazmat.primitives import serialization

load = serialization.load_pem_private_key
serialization.load_pem_private_key = functools.partial(load, unsafe_skip_rsa_key_validation=True)
runpy.run_module("nanoidp", run_name="__main__")
"""
"""It reads its own key for each token, and to prove that one takes a hundred times as long as to
sign: on a busy machine longer than the service waits.
"""


class OpenIDProvider:
    """The provider at `issuer`; people of `PEOPLE` sign in for the client `CLIENT`."""

    def __init__(self, folder: Path, redirect_uri: str) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [redirect_uri],
        }
        settings = {
            "config_version": 1,
            "server": {"host": "127.0.0.1", "port": self.port},
            "oauth": {"issuer": self.issuer, "audience": CLIENT, "clients": [client]},
        }
        users = {
            name: {"password": password, "email": f"{name}@example.org"}
            for name, password in PEOPLE.items()
        }
        folder.mkdir(parents=True)
        # JSON is YAML.
        (folder / "settings.yaml").write_text(json.dumps(settings), "utf-8")
        (folder / "users.yaml").write_text(
            json.dumps({"config_version": 1, "users": users}), "utf-8"
        )
        self._folder = folder

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-c", PROGRAM, "--config", ".", "--profile", "oauth21"]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while not self._answers():
                assert process.poll() is None, (self._folder / "log").read_text("utf-8")
                assert time.monotonic() < end, "the provider does not start"
                time.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait()

    def sign_in(self, address: str, name: str, browser: Browser | None = None) -> dict[str, str]:
        """What the browser brings back from the provider, which asked for the password."""
        back = self.sent_back(address, name, browser or Browser())
        return dict(parse_qsl(urlsplit(back).query))

    def sent_back(self, address: str, name: str, browser: Browser) -> str:
        """Where it sends the browser back to."""
        status, _, page = browser.open(address)
        found = _TRANSACTION.search(page)
        assert status == 200, page
        assert found, page
        sent = {"transaction_id": found[1], "username": name, "password": PEOPLE[name]}
        status, back, page = browser.open(address, sent)
        assert status == 302, page
        return back

    def rotate_keys(self) -> None:
        """Sign with a new key from now on."""
        status, _, page = Browser().open(f"{self.issuer}/api/keys/rotate", {})
        assert status == 200, page

    def _answers(self) -> bool:
        try:
            return Browser().open(f"{self.issuer}/api/health")[0] == 200
        except (URLError, ConnectionError):
            return False
