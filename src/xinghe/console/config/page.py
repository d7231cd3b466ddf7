"""`/console/config`: models, deployments, prices and limits as TOML, tried and then applied."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import UNSET
from starlette.responses import Response

from xinghe.admin.config import Config, ConfigChanged
from xinghe.admin.live import LiveView
from xinghe.configuration.toml import as_toml, inline
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import MOST_OF_TEXTS, Route
from xinghe.settings.toml import parsed

PATH = "/console/config"
API = "/admin/v1/config"
LONGEST = 16_000
"""Characters of a text that can be edited here."""


async def show(page: Page) -> Response:
    return await shown(page)


async def change(page: Page) -> Response:
    """Tell what a text would change, or apply it unless somebody has changed it meanwhile."""
    text = page.form.get("toml", "")
    assert isinstance(text, str)
    text, version = text.replace("\r\n", "\n"), page.field("version")
    try:
        # It takes long for a long text.
        tree = await asyncio.to_thread(parsed, text)
    except ValueError as error:
        return await shown(page, text=text, wrong=str(error))
    trial = page.field("do") != "apply"
    body = {"tree": tree, "note": page.field("note"), "validate_only": trial}
    try:
        found = await page.api.send("PUT", API, ConfigChanged, body, if_match=version)
    except Refused as refused:
        return await shown(page, text=text, refused=refused)
    if trial:
        return await shown(page, text=text, trial=found)
    return page.go(f"{PATH}?done={found.version}")


async def drain(page: Page) -> Response:
    """Give a server of a deployment no new work, or its weight back."""
    name, at = page.field("deployment"), page.field("server")
    config, version = await page.api.tagged(API, Config)
    urls = urls_of(config.tree, name)
    if not at.isdecimal() or int(at) >= len(urls):
        return page.go(PATH)
    urls[int(at)] |= {"weight": 0 if page.field("do") == "drain" else 1}
    patch = {"deployments": {name: {"urls": urls}}}
    try:
        await page.api.send("PATCH", API, ConfigChanged, {"patch": patch}, if_match=version)
    except Refused as refused:
        return await shown(page, refused=refused)
    return page.go(f"{PATH}#servers")


async def shown(
    page: Page,
    *,
    text: str | None = None,
    trial: ConfigChanged | None = None,
    wrong: str = "",
    refused: Refused | None = None,
) -> Response:
    """The page, with what was typed, and what came of it."""
    (config, version), live = await asyncio.gather(
        page.api.tagged(API, Config), page.api.get("/admin/v1/live", LiveView)
    )
    applied = as_toml({name: part for name, part in config.tree.items() if name != "safety"})
    states = {each.name: each.servers for each in live.deployments}
    servers = {
        name: [*zip(found, states.get(name, []), strict=False)]
        for name in config.tree.get("deployments", {})
        if len(found := urls_of(config.tree, name)) > 1
    }
    return page.render(
        "config/page.html",
        status=400 if wrong else refused.status if refused else 200,
        config=config,
        # What was looked at when the text was typed: a change since then is not overwritten.
        version=page.field("version") or version,
        applied=applied,
        text=applied if text is None else text,
        editable=len(applied) <= LONGEST,
        longest=LONGEST,
        servers=servers,
        trial=trial,
        wrong=wrong,
        refused=refused,
        note=page.field("note"),
        done=page.query.get("done", ""),
        written=written,
    )


def written(value: Any) -> str | None:
    """A value of a field as it stands in TOML; `None` where there is none."""
    return None if value is UNSET else inline(value)


def urls_of(tree: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The servers of a deployment on several, each with all that is set of it."""
    urls = tree.get("deployments", {}).get(name, {}).get("urls", [])
    return [{"url": each} if isinstance(each, str) else dict(each) for each in urls]


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, change, most=MOST_OF_TEXTS),
    Route("POST", f"{PATH}/drain", drain),
)
