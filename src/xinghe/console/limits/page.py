"""`/console/limits`: which limits hold, where each is set; those of the configuration changed."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.responses import Response

from xinghe.admin.budgets import BudgetList
from xinghe.admin.config import Config, ConfigChanged
from xinghe.admin.limits import ServerLimits, ServiceLimits
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import figure

PATH = "/console/limits"
CONFIG = "/admin/v1/config"
MOST_BUDGETS = 50
OF_MEMBERS = ("qps", "rpm", "tpm", "queue", "wait")
OF_MODELS = ("rpm", "tpm")
BOUNDS = {
    "max_body_bytes": ("一个请求的大小", "Size of a request"),
    "max_body_values": ("一个请求里的值", "Values in a request"),
    "max_bodies_bytes": ("全部进行中的请求合计", "All requests at work together"),
    "head_timeout": ("收齐请求头", "Time of a request's head"),
    "body_timeout": ("收齐请求体", "Time of a request's body"),
    "stall_timeout": ("读的一方不动多久算断开", "Time that a reader may take nothing"),
    "grace": ("停止服务时等进行中的回答", "Time for answers when the service stops"),
}


async def show(page: Page) -> Response:
    return await _shown(page)


async def members(page: Page) -> Response:
    return await _change(page, "members", {"limits": _typed(page, OF_MEMBERS)})


async def defaults(page: Page) -> Response:
    return await _change(page, "defaults", {"defaults": _typed(page, OF_MODELS)})


async def model(page: Page) -> Response:
    name = page.field("model")
    return await _change(page, "model", {"models": {name: _typed(page, OF_MODELS)}})


def _typed(page: Page, names: tuple[str, ...]) -> dict[str, Any]:
    """Nothing typed takes the field out, so that what stands above it or is built in holds."""
    return {name: figure(page.field(name)) if page.field(name) else None for name in names}


async def _change(page: Page, form: str, patch: dict[str, Any]) -> Response:
    """Unless somebody has changed the configuration since the page was opened."""
    body = {"patch": patch, "note": page.field("note")}
    version = page.field("version")
    try:
        done = await page.api.send("PATCH", CONFIG, ConfigChanged, body, if_match=version)
    except Refused as refused:
        return await _shown(page, form, refused)
    return page.go(f"{PATH}?done={done.version}")


async def _shown(page: Page, form: str = "", refused: Refused | None = None) -> Response:
    limits, (config, version), budgets = await asyncio.gather(
        page.api.get("/admin/v1/limits", ServiceLimits),
        page.api.tagged(CONFIG, Config),
        page.api.get("/admin/v1/budgets", BudgetList, limit=MOST_BUDGETS),
    )
    chosen = page.field("model") or page.query.get("model", "")
    return page.render(
        "limits/page.html",
        status=refused.status if refused else 200,
        limits=limits,
        members={
            name: int(value) if value == int(value) else value
            for name, value in msgspec.structs.asdict(limits.members).items()
        },
        bounds=_bounds(limits.server),
        tree=config.tree,
        # What was looked at when it was typed: a change since then is not overwritten.
        version=page.field("version") or version,
        budgets=budgets,
        chosen=next((each for each in limits.models if each.id == chosen), None),
        sent=form,
        refused=refused,
        done=page.query.get("done", ""),
        of_members=OF_MEMBERS,
        of_models=OF_MODELS,
    )


def _bounds(server: ServerLimits) -> list[tuple[str, tuple[str, str], str]]:
    """The server's: each key, what it is, and its value as people read it."""
    found = []
    for name, value in msgspec.structs.asdict(server).items():
        text = f"{value / 2**20:,g} MiB" if name.endswith("_bytes") else f"{value:,g}"
        text += "" if name.startswith("max_") else " s"
        found.append((f"server.{name}", BOUNDS[name], text))
    return found


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/members", members),
    Route("POST", f"{PATH}/defaults", defaults),
    Route("POST", f"{PATH}/model", model),
)
