"""`/console/models`: what may be called, within which limits, at what price, how quick it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from xinghe.api.errors import Errors
from xinghe.api.models import Model, ModelList
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/models"

KINDS = {
    "chat": ("对话", "Chat"),
    "embedding": ("向量", "Embedding"),
    "image": ("图像", "Image"),
}
ABILITIES = {
    "reasoning": ("深度思考", "Reasoning"),
    "web_search": ("联网搜索", "Web search"),
    "tools": ("函数调用", "Tools"),
    "json_object": ("JSON", "JSON"),
    "json_schema": ("JSON Schema", "JSON Schema"),
    "images": ("图片输入", "Pictures"),
}
HOW = {
    "tools": "平台的提示和语法",
    "reasoning": "回答之前单独想一遍",
    "images": "OCR 读出文字、颜色和大小，模型看不到图片",
    "web_search": "平台搜索，把结果放进提示",
}
"""In Chinese, how the platform delivers an ability: the API says it in English."""
_CALLS: dict[str, tuple[str, str, Any]] = {
    "chat": ("chat/completions", "messages", [{"role": "user", "content": "你好"}]),
    "embedding": ("embeddings", "input", ["你好"]),
    "image": ("images/generations", "prompt", "一只猫"),
}
"""By kind, where it is called, and what with, by the name of the field."""


async def show(page: Page) -> Response:
    return await _list(page)


async def show_one(page: Page) -> Response:
    name = page.request.path_params["id"]
    if not name:
        return page.go(PATH)
    try:
        model = await page.api.get(f"/v1/models/{name}", Model)
    except Refused as refused:
        if refused.code != Errors.NO_SUCH_MODEL.value.code:
            raise
        return await _list(page, missing=name)
    return page.render(
        "models/model.html",
        model=model,
        about=model.xinghe,
        snippet=snippet(f"{page.base_url}/v1", model),
        kinds=KINDS,
        abilities=ABILITIES,
        how=HOW,
        short=short,
    )


async def _list(page: Page, missing: str = "") -> Response:
    everything = (await page.api.get("/v1/models", ModelList)).data
    wanted = {name: page.query.get(name, "").strip() for name in ("search", "kind", "ability")}
    return page.render(
        "models/page.html",
        status=404 if missing else 200,
        missing=missing,
        models=matching(everything, **wanted),
        total=len(everything),
        wanted=wanted,
        kinds=KINDS,
        abilities=ABILITIES,
        short=short,
        url=url,
    )


def matching(models: Sequence[Model], search: str, kind: str, ability: str) -> list[Model]:
    """Those with a word in id or title, of a kind, that are served with an ability."""
    word = search.casefold()
    return [
        each
        for each in models
        if word in f"{each.id}\n{each.xinghe.title}".casefold()
        and kind in ("", each.xinghe.kind)
        and (not ability or ability in each.xinghe.capabilities.served)
    ]


def url(model: str) -> str:
    """The page of a model."""
    return f"{PATH}/{quote(model)}"


def short(tokens: int) -> str:
    """A length in tokens: `128K` for 131,072."""
    return f"{tokens // 1024}K" if tokens and tokens % 1024 == 0 else f"{tokens:,}"


def snippet(base_url: str, model: Model) -> str:
    """A call of it, for a shell."""
    path, name, asked = _CALLS[model.xinghe.kind]
    data = json.dumps({"model": model.id, name: asked}, ensure_ascii=False)
    return (
        f"curl {_quoted(f'{base_url}/{path}')} \\\n"
        "  -H 'Authorization: Bearer xh-…' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {_quoted(data)}"
    )


def _quoted(value: str) -> str:
    """As one word of a shell."""
    return "'" + value.replace("'", "'\\''") + "'"


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", PATH + "/{id:path}", show_one),
)
