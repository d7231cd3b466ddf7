"""A model whose server cannot be reached: its mount's row of the error table, and no charge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conftest import MakeServer
from tests.kit.api import DOCUMENTED, HELLO, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, away
from tests.kit.models import DOWN
from tests.kit.raw import Reply

UNREACHABLE = """
[deployments.nowhere]
engine = "upstream-embedding"
url = "http://127.0.0.1:9/v1"
model = "bge"

[deployments.nowhere-images]
engine = "upstream-images"
url = "http://127.0.0.1:9/v1"
model = "sdxl"

[models."bge-large-zh"]
deployment = "nowhere"

[models."Stable-Diffusion-XL"]
deployment = "nowhere-images"
"""
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/chat/completions", {"model": DOWN, "messages": HELLO}),
    ("/chat/completions", {"model": DOWN, "messages": HELLO, "stream": True}),
    ("/embeddings", {"model": "bge-large-zh", "input": "你好"}),
    ("/rerank", {"model": "bge-large-zh", "query": "你好", "documents": ["好"]}),
    ("/images/generations", {"model": "Stable-Diffusion-XL", "prompt": "猫"}),
]


def test_engines_that_are_away_are_our_fault_and_free(make_server: MakeServer) -> None:
    patient = {"XINGHE_SERVER__KEEPALIVE_COMMENT": "10"}  # a stream that has begun has no status
    server = make_server(models=UNREACHABLE, settings=patient)
    api = Api(server.url, server.token())

    def ask(each: tuple[str, tuple[str, dict[str, Any]]]) -> Reply:
        mount, (path, body) = each
        return api.at(mount).post(path, body)

    asked = [(mount, each) for mount in (DOCUMENTED, STRICT) for each in ASKED]
    with ThreadPoolExecutor(len(asked)) as pool:
        replies = list(pool.map(ask, asked))
    for (mount, _), reply in zip(asked, replies, strict=True):
        away(reply)
        assert (reply.status == 503) == (mount == STRICT)
        Books(server).free(reply.json["id"])
    answered(api.post("/embeddings", {"input": "别的模型照常"}))
    # Its vectors' dimension is not known yet.
    assert api.get("/models/bge-large-zh").json["xinghe"]["dimensions"] is None
