"""Debian's Chromium, driven by Playwright, with an eye on all that a page should not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

MISSING = (
    "the pages are tested in Chromium, which is not here; on Debian or Ubuntu: "
    "sudo apt-get install -y --no-install-recommends chromium fonts-wqy-microhei"
)
WIDTHS = (1440, 360)
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Its loop holds this thread: no test beside it in a file may be asynchronous."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    assert found, MISSING
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
        )
        yield browser
        browser.close()


class Person:
    """Somebody at a browser; `faults` are errors of the console and of scripts, and bad answers."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.faults: list[str] = []
        self.context: BrowserContext = browser.new_context(
            **{"locale": "zh-CN", "timezone_id": "Asia/Shanghai", **options}
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on(
            "console",
            lambda told: self.faults.append(told.text) if told.type == "error" else None,
        )

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def bring(self, cookies: Mapping[str, str]) -> None:
        """Have the cookies of another browser."""
        host = urlsplit(self.url).hostname or ""
        self.context.add_cookies(
            [
                {"name": name, "value": value, "domain": host, "path": "/", "httpOnly": True}
                for name, value in cookies.items()
            ]
        )

    def barriers(self) -> list[str]:
        """What axe finds on the page that keeps people out."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]

    def is_wider_than_its_window(self) -> bool:
        return bool(self.page.evaluate(WIDER))
