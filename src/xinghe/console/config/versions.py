"""`/console/config/versions`: who changed what and when, and any version applied again."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from xinghe.admin.config import ConfigChanged, ConfigVersion, ConfigVersionList
from xinghe.configuration.toml import as_toml
from xinghe.console.calls import Refused
from xinghe.console.config.page import API, written
from xinghe.console.config.page import PATH as CONFIG
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = f"{CONFIG}/versions"
ONE = f"{PATH}/{{version}}"
MOST = 30
LONGEST = 16
"""Digits of a number that may be one of a version."""


async def show(page: Page) -> Response:
    found = await page.api.get(
        f"{API}/versions", ConfigVersionList, limit=MOST, after=page.query.get("after")
    )
    return page.render("config/versions.html", versions=found.data, after=found.next)


async def one(page: Page) -> Response:
    return await _shown(page)


async def again(page: Page) -> Response:
    """Tell what would change by applying it again, or do it."""
    trial = page.field("do") != "apply"
    number = page.request.path_params["version"]
    body = {
        # Which one it is not, the API says.
        "version": int(number) if number.isdecimal() and len(number) < LONGEST else number,
        "note": page.field("note"),
        "validate_only": trial,
    }
    try:
        found = await page.api.send("POST", f"{API}/revert", ConfigChanged, body)
    except Refused as refused:
        return await _shown(page, refused=refused)
    return await _shown(page, trial=found) if trial else page.go(f"{CONFIG}?done={found.version}")


async def _shown(
    page: Page, *, trial: ConfigChanged | None = None, refused: Refused | None = None
) -> Response:
    number = quote(page.request.path_params["version"], safe="")
    found = await page.api.get(f"{API}/versions/{number}", ConfigVersion)
    return page.render(
        "config/version.html",
        status=refused.status if refused else 200,
        version=found,
        text=as_toml({name: part for name, part in found.tree.items() if name != "safety"}),
        trial=trial,
        refused=refused,
        note=page.field("note"),
        written=written,
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", ONE, one),
    Route("POST", ONE, again),
)
