"""Whichever upstream refuses its operator, `/readyz` tells it until it has answered again."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conftest import MakeServer
from tests.engines.tape import playing, refusal
from tests.kit.api import Api
from tests.kit.expect import refused as refused_as
from tests.kit.models import CHAT
from tests.kit.script import SECRET

MODELS = """
[deployments.vectors]
engine = "upstream-embedding"
url = "{url}"
model = "m"
reranker = "r"

[deployments.paint]
engine = "upstream-images"
url = "{url}"
model = "m"

[models.embedding-v1]
deployment = "vectors"

[models.Stable-Diffusion-XL]
deployment = "paint"
"""
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/embeddings", {"model": "embedding-v1", "input": ["一"]}),
    ("/rerank", {"model": "embedding-v1", "query": "一", "documents": ["二"]}),
    ("/images/generations", {"model": "Stable-Diffusion-XL", "prompt": "一"}),
    ("/chat/completions", {"model": CHAT, "messages": [{"role": "user", "content": "一"}]}),
    ("/embeddings", {"model": "embedding-v1", "input": ["一"]}),
]
UNSAFE = b'{"error":{"code":"content_policy_violation","message":"no"}}'
VECTOR = b'{"data":[{"embedding":[1.0,0.0],"index":0}]}'
SAFE = b'{"results":[{"flagged":false,"categories":{}}]}'


async def test_embeddings_rerank_images_and_moderation(make_server: MakeServer) -> None:
    statuses = [[refusal(status, SECRET.encode())] for status in (401, 402, 403)]
    async with (
        playing(*statuses, [refusal(400, UNSAFE)], [refusal(200, VECTOR)]) as tape,
        playing([refusal(200, SAFE)], [refusal(402, SECRET.encode())]) as guard,
    ):
        settings = {
            "XINGHE_SAFETY__UPSTREAM__URL": guard.url,
            "XINGHE_SAFETY__UPSTREAM__HEADERS__TENANT": "$GUARD_TENANT",
            "GUARD_TENANT": "t-1",
        }
        models = MODELS.format(url=tape.url)
        server = await asyncio.to_thread(make_server, models=models, settings=settings)
        api = Api(server.url, await asyncio.to_thread(server.token))
        told, refused = {}, []
        for path, body in ASKED:
            reply = await asyncio.to_thread(api.post, path, body)
            told[path] = reply.status
            ready = await asyncio.to_thread(api.at("").bearing(None).get, "/readyz")
            refused.append(ready.json.get("refusals"))
            if path == "/chat/completions":  # what an upstream's moderation refuses is no trouble
                unsafe = await asyncio.to_thread(api.post, *ASKED[2])
    refused_as(unsafe, 403, "unsafe_request", "user_setting_unsafe", param="prompt")
    vectors, paint = "deployment vectors", "deployment paint"
    assert refused == [
        {vectors: 401},
        {vectors: 402},
        {vectors: 402, paint: 403},
        {vectors: 402, paint: 403, "safety.upstream": 402},
        {paint: 403, "safety.upstream": 402},
    ]
    assert told == {"/embeddings": 200, "/rerank": 500, "/images/generations": 500,
                    "/chat/completions": 200}  # fmt: skip
    assert all(b"tenant: t-1" in head for head in guard.heads)
