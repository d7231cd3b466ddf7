"""An example of the reference: one request, and how OpenAI's own clients send it."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.console.reference.told import Told


class Client(msgspec.Struct, frozen=True):
    """How OpenAI's own clients ask: a call, its argument, and what is done with the answer."""

    call: str
    python: str
    node: str
    argument: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One request. `extra` of its body is what OpenAI's Python client knows nothing of."""

    title: Told = Told("请求示例", "Example")
    body: dict[str, Any] | None = None
    extra: dict[str, Any] = {}
    query: dict[str, str] = {}
    places: dict[str, str] = {}
    client: Client | None = None
    streamed: bool = False
