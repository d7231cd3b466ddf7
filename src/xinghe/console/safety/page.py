"""`/console/safety`: the operator's lists, and what moderation finds in a text."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from xinghe.admin.config import Config, ConfigChanged
from xinghe.admin.safety import SafetyChecked
from xinghe.console.calls import Refused
from xinghe.console.config.page import API, LONGEST
from xinghe.console.page import Page
from xinghe.console.route import MOST_OF_TEXTS, Route

PATH = "/console/safety"
ONE = f"{PATH}/lists/{{name}}"


async def show(page: Page) -> Response:
    return await _shown(page)


async def check(page: Page) -> Response:
    """Say what is found in a text, which is kept nowhere."""
    text = page.field("text")
    try:
        found = await page.api.send("POST", "/admin/v1/safety/check", SafetyChecked, {"text": text})
    except Refused as refused:
        return await _shown(page, text=text, refused=refused)
    return await _shown(page, text=text, found=found)


async def make(page: Page) -> Response:
    name = page.field("name")
    return page.go(f"{PATH}/lists/{quote(name, safe='')}" if name else PATH)


async def edit(page: Page) -> Response:
    return await _edited(page)


async def change(page: Page) -> Response:
    """Put a list in the place of what it was, or take it out if nothing is left of it."""
    name = page.request.path_params["name"]
    written = page.form.get("phrases", "")
    assert isinstance(written, str)
    phrases = written.replace("\r\n", "\n")
    patch = {"safety": {"lists": {name: phrases if phrases.strip() else None}}}
    body = {"patch": patch, "note": page.field("note")}
    try:
        await page.api.send("PATCH", API, ConfigChanged, body, if_match=page.field("version"))
    except Refused as refused:
        return await _edited(page, phrases=phrases, refused=refused)
    return page.go(f"{PATH}?done={quote(name)}")


async def _shown(
    page: Page,
    *,
    text: str = "",
    found: SafetyChecked | None = None,
    refused: Refused | None = None,
) -> Response:
    config = await page.api.get(API, Config)
    return page.render(
        "safety/page.html",
        status=refused.status if refused else 200,
        lists={name: _phrases(lines) for name, lines in sorted(_lists(config).items())},
        text=text,
        found=found,
        refused=refused,
        done=page.query.get("done", ""),
    )


async def _edited(
    page: Page, *, phrases: str | None = None, refused: Refused | None = None
) -> Response:
    name = page.request.path_params["name"]
    config, version = await page.api.tagged(API, Config)
    known = _lists(config).get(name, "")
    return page.render(
        "safety/list.html",
        status=refused.status if refused else 200,
        name=name,
        # What was looked at when it was typed: a change since then is not overwritten.
        version=page.field("version") or version,
        phrases=known if phrases is None else phrases,
        editable=len(known) <= LONGEST,
        longest=LONGEST,
        note=page.field("note"),
        refused=refused,
    )


def _lists(config: Config) -> dict[str, str]:
    lists: dict[str, Any] = config.tree.get("safety", {}).get("lists", {})
    return lists


def _phrases(text: str) -> int:
    """How many lines of a list hold one."""
    lines = (each.strip() for each in text.splitlines())
    return sum(bool(each) and not each.startswith("#") for each in lines)


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, check, most=MOST_OF_TEXTS),
    Route("POST", f"{PATH}/lists", make),
    Route("GET", ONE, edit),
    Route("POST", ONE, change, most=MOST_OF_TEXTS),
)
