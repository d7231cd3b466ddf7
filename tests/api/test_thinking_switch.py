"""Embedded models that think by themselves: a template that listens is told, by each switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.engines.test_switch import LIKE_QWEN, MENTIONS
from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.raw import Reply
from tests.kit.tiny import write_tiny

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

DEPLOYMENT = """
[deployments.{name}]
engine = "llamacpp"
weights = "{weights}"
context = 512
slots = 2
thinks = true
thinking = 4

[models.{name}]
kind = "chat"
context = 512
max_input = 256
output_max = 64
output_default = 4
reasoning_max = 64
capabilities = ["reasoning"]
deployment = "{name}"
"""
OFF: list[dict[str, Any]] = [
    {"enable_thinking": False},
    {"thinking": {"type": "disabled"}},
    {"reasoning_effort": "none"},
]
ON: list[dict[str, Any]] = [{}, {"enable_thinking": True}, {"reasoning_effort": "high"}]


def test_it_is_told_where_its_template_listens(make_server: MakeServer, tmp_path: Path) -> None:
    models = ""
    for name, template in (("listens", LIKE_QWEN), ("deaf", MENTIONS)):
        weights = write_tiny(tmp_path / f"{name}.gguf", template)
        models += DEPLOYMENT.format(name=name, weights=weights)
    server = make_server(models=models)
    api = Api(server.url, server.token())
    books = Books(server)

    def asked(model: str) -> Callable[[dict[str, Any]], Reply]:
        return lambda fields: api.chat(model=model, max_tokens=4, **fields)

    def tokens(replies: list[Reply]) -> set[int]:
        assert not any("x-ignored-parameters" in each.headers for each in replies)
        return {answered(each)["usage"]["prompt_tokens"] for each in replies}

    (off,), (on,) = (tokens([asked("listens")(each) for each in way]) for way in (OFF, ON))
    assert off > on
    low = asked("listens")({"reasoning_effort": "low"})
    assert low.headers["x-ignored-parameters"] == "reasoning_effort"
    for fields in OFF:
        reply = asked("deaf")(fields)
        answered(reply)
        assert reply.headers["x-ignored-parameters"] == next(iter(fields))
    said = {"model": "listens", "max_output_tokens": 4, "input": "a"}
    response = api.at(STRICT).post("/responses", said | {"reasoning": {"effort": "none"}})
    assert response.json["usage"]["input_tokens"] < off
    assert "x-ignored-parameters" not in response.headers
    books.settled()
