"""`fallback` of embedding and image models: vectors that can be compared, images as asked for."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from tests.conftest import QUICK
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, away, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

SEVEN = [float(number) for number in range(1, 8)]
EIGHT = [*SEVEN, 8.0]
FALTER = "倒下"


class Answers(BaseHTTPRequestHandler):
    """Each model does as it is called: vectors of 8 (`narrow`: 7) numbers, a ranking, an image."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._say(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body["model"]
        if model.startswith("broken") or (model == "falters" and FALTER in body["input"]):
            self._say(400, {"error": {"message": "secret"}})
        elif self.path == "/v1/embeddings":
            vector = SEVEN if model.startswith("narrow") else EIGHT
            data = [{"index": at, "embedding": vector} for at, _ in enumerate(body["input"])]
            self._say(200, {"data": data})
        elif self.path == "/v1/rerank":
            ranked = [
                {"index": at, "relevance_score": 0.5} for at, _ in enumerate(body["documents"])
            ]
            self._say(200, {"results": ranked})
        else:
            file = io.BytesIO()
            width, height = map(int, body["size"].split("x"))
            Image.new("RGB", (width, height), "red").save(file, "PNG")
            self._say(200, {"data": [{"b64_json": base64.b64encode(file.getvalue()).decode()}]})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


EMBEDDING = """
[deployments.{name}]
engine = "upstream-embedding"
url = "{url}"
model = "{model}"
space = "ours"
{more}
"""
IMAGES = """
[deployments.{name}]
engine = "upstream-images"
url = "{url}"
model = "{name}"
dialect = "{dialect}"
"""
MODEL = """
[models.{name}]
kind = "{kind}"
deployment = "{deployment}"
fallback = {fallback}
max_texts = 16
max_characters = 1000
image_tokens = 20000
"""
EMBEDDINGS = {
    "v-own": ("wide", ""),
    "v-broken": ("broken", ""),
    "v-gone": ("gone", ""),
    "v-gone-reranks": ("gone", 'reranker = "r"'),
    "v-narrow": ("narrow", ""),
    "v-falters": ("falters", ""),
    "v-reranks": ("wide-too", 'reranker = "r"'),
    "v-resizable": ("broken-too", "resizable = true"),
}
CHAINS = {
    "ve": ("v-broken", ["v-own"]),
    "ve-away": ("v-gone", ["v-gone-reranks"]),
    "ve-served": ("v-own", ["v-narrow"]),
    "ve-narrowed": ("v-falters", ["v-narrow"]),
    "ve-ranked": ("v-gone-reranks", ["v-own", "v-reranks"]),
    "ve-resized": ("v-resizable", ["v-own"]),
}
DRAWN = {
    "im": ("broken-draws", ["draws"]),
    "im-full": ("broken-full", ["draws", "full"]),
}


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    answers = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=answers.serve_forever, daemon=True).start()
    url, closed = f"http://127.0.0.1:{answers.server_port}/v1", f"http://127.0.0.1:{free_port()}/v1"
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    for name, (model, more) in EMBEDDINGS.items():
        there = closed if model == "gone" else url
        models += EMBEDDING.format(name=name, url=there, model=model, more=more)
    for name in ("broken-draws", "draws"):
        models += IMAGES.format(name=name, url=url, dialect="openai")
    for name in ("broken-full", "full"):
        models += IMAGES.format(name=name, url=url, dialect="documented")
    for chains, kind in ((CHAINS, "embedding"), (DRAWN, "image")):
        for name, (deployment, fallback) in chains.items():
            models += MODEL.format(name=name, kind=kind, deployment=deployment, fallback=fallback)
    data = tmp_path_factory.mktemp("others")
    with Server(data, models=models, settings=QUICK) as running:
        running.token()
        yield running
        Books(running).settled()
    answers.shutdown()


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def books(service: Server) -> Books:
    return Books(service)


def test_vectors_of_another_deployment(api: Api, books: Books) -> None:
    reply = api.post("/embeddings", {"model": "ve", "input": ["你好", "再见"]})
    body = answered(reply)
    assert body["model"] == "ve"
    assert [len(each["embedding"]) for each in body["data"]] == [8, 8]
    assert reply.headers["x-served-by"] == "v-own/wide"
    assert books.usage(body["id"])["model"] == "ve"


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_all_are_away(api: Api, books: Books, mount: str) -> None:
    reply = api.at(mount).post("/embeddings", {"model": "ve-away", "input": "你好"})
    away(reply)
    assert (reply.status == 503) == (mount == STRICT)
    books.free(reply.json["id"])


def test_a_text_that_is_too_long_is_said_by_its_own(api: Api) -> None:
    reply = api.post("/embeddings", {"model": "ve-served", "input": "字" * 1001})
    refused(reply, 400, "invalid_request_error", "characters_too_long")


def test_dimensions_that_the_other_cannot_make(api: Api, books: Books) -> None:
    reply = api.post("/embeddings", {"model": "ve-resized", "input": "你好", "dimensions": 4})
    refused(reply, 500, "Internal_error", "dispatch_internal_error")
    books.free(reply.json["id"])
    reply = api.post("/embeddings", {"model": "ve-resized", "input": "你好"})
    answered(reply)
    assert reply.headers["x-served-by"] == "v-own/wide"


def test_a_ranking_by_a_reranker_stays_one(api: Api) -> None:
    asked = {"query": "你好", "documents": ["好", "坏"]}
    reply = api.post("/rerank", {"model": "ve-ranked", **asked})
    assert [each["relevance_score"] for each in answered(reply)["results"]] == [0.5, 0.5]
    assert reply.headers["x-served-by"] == "v-reranks/wide-too"
    reply = api.post("/rerank", {"model": "ve", **asked})
    answered(reply)
    assert reply.headers["x-served-by"] == "v-own/wide"


def draw(api: Api, model: str, **fields: Any) -> Any:
    asked = {"model": model, "prompt": "猫", "size": "768x768", "response_format": "b64_json"}
    return api.post("/images/generations", asked | {"retry_count": 0} | fields)


def test_an_image_of_another_deployment(api: Api, books: Books) -> None:
    reply = draw(api, "im")
    (image,) = answered(reply)["data"]
    assert Image.open(io.BytesIO(base64.b64decode(image["b64_json"]))).size == (768, 768)
    assert reply.headers["x-served-by"] == "draws/draws"
    # 20,000 Tokens at 1024×1024.
    assert books.usage(reply.json["id"])["completion_tokens"] == 11_250


def test_one_that_passes_over_what_was_sent_is_passed_over(api: Api, books: Books) -> None:
    reply = draw(api, "im-full")
    answered(reply)
    assert reply.headers["x-served-by"] == "draws/draws"
    reply = draw(api, "im-full", negative_prompt="狗", steps=10)
    answered(reply)
    assert reply.headers["x-served-by"] == "full/full"
    reply = draw(api, "im-full", seed=7)  # which promises the same image again
    refused(reply, 500, "Internal_error", "dispatch_internal_error")
    books.free(reply.json["id"])


def test_vectors_of_another_size_are_none(api: Api, books: Books) -> None:
    """Its own made eight numbers before it failed; seven cannot be compared with them."""
    asked = {"model": "ve-narrowed"}
    answered(api.post("/embeddings", {**asked, "input": "你好"}))
    reply = api.post("/embeddings", {**asked, "input": FALTER})
    refused(reply, 500, "Internal_error", "dispatch_internal_error")
    books.free(reply.json["id"])
