"""A web search is charged by its number, beside the tokens that it brings."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

SEARCHING = "searching"
MODEL = """
[models.searching]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 16
capabilities = ["web_search"]
input_ratio = 1.0
output_ratio = 2.0
search_price = 300.5
deployment = "scripted"
"""
QUESTION = [{"role": "user", "content": "联网搜索一下:今天的新闻有哪些?"}]
PLAIN = [{"role": "user", "content": "你好"}]


class Instance(BaseHTTPRequestHandler):
    """A SearXNG that finds one page for every query, or fails."""

    fails = False

    def do_GET(self) -> None:
        found = {
            "url": "https://example.invalid/news",
            "title": "新闻",
            "content": "今天无事。" * 9,
        }
        data = json.dumps({"results": [found]}).encode()
        self.send_response(500 if self.fails else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    instance = ThreadingHTTPServer(("127.0.0.1", 0), Instance)
    threading.Thread(target=instance.serve_forever, daemon=True).start()
    settings = QUICK | {
        "XINGHE_SEARCH__PROVIDER": "searxng",
        "XINGHE_SEARCH__URL": f"http://127.0.0.1:{instance.server_port}",
        "XINGHE_SEARCH__DEADLINE": "3",
    }
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + MODEL
    with Server(tmp_path_factory.mktemp("billing"), models=models, settings=settings) as running:
        yield running
        Books(running).settled()
    instance.shutdown()
    instance.server_close()


@pytest.fixture(scope="module")
def searching(service: Server) -> Api:
    return Api(service.url, service.token())


def entry(service: Server, api: Api, messages: Any, stream: bool) -> tuple[dict[str, Any], Any]:
    """What was charged for a request, and the usage that its client was told."""
    asked = {"model": SEARCHING, "messages": messages, "web_search": {"enable": True}}
    if stream:
        read = api.stream(**asked)
        name, usage = read.headers["x-request-id"], read.usage
    else:
        body = answered(api.chat(**asked))
        name, usage = body["id"], body["usage"]
    return Books(service).usage(name), usage


def costs(found: dict[str, Any], searches: int) -> None:
    tokens = found["prompt_tokens"] + 2 * found["completion_tokens"]
    assert found["cached_tokens"] == 0
    assert found["searches"] == searches
    assert found["amount"] == -(tokens * MICRO + searches * 300_500_000)
    assert float(found["search_rate"]) == 300.5


@pytest.mark.parametrize("stream", [False, True])
def test_a_search_has_its_price(service: Server, searching: Api, stream: bool) -> None:
    found, usage = entry(service, searching, QUESTION, stream)
    costs(found, 1)
    assert found["prompt_tokens"] == usage["prompt_tokens"]
    # Part of the prompt, of which this upstream counts very few tokens.
    told = usage["prompt_tokens_details"]["search_tokens"]
    assert found["search_tokens"] == min(told, found["prompt_tokens"]) > 0


@pytest.mark.parametrize("stream", [False, True])
def test_what_needs_no_search_pays_for_none(service: Server, searching: Api, stream: bool) -> None:
    found, _ = entry(service, searching, PLAIN, stream)
    costs(found, 0)
    assert found["search_tokens"] == 0


def test_a_search_that_failed_costs_nothing(
    service: Server, searching: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Instance, "fails", True)
    found, _ = entry(service, searching, QUESTION, stream=False)
    costs(found, 0)


def test_the_price_of_a_search_is_held_before_it(service: Server) -> None:
    service.run("member", "create", "poor", "--tokens", "300")
    poor = Api(service.url, service.token(account="poor"))
    fields = {"model": SEARCHING, "messages": QUESTION, "max_tokens": 2}
    reply = poor.chat(**fields, web_search={"enable": True})
    refused(reply, 403, "access_denied", "token_quota_exceeded")
    Books(service, "poor").free(reply.headers["x-request-id"])
