"""A stream that is being made is ended by its id; what has ended is shown as it is."""

from __future__ import annotations

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import refused
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import another, asking, streaming

GONE = (404, "invalid_request_error", "no_such_object")


def test_a_running_stream(api: Api, upstream: Upstream, books: Books) -> None:
    script = Script(pieces=["字"] * 2000, rate=20, prompt_tokens=10)
    strict = api.at(STRICT)
    with streaming(api, input=asking(script)) as (seen, live):
        for _ in live:
            if len(seen.of("response.output_text.delta")) >= 3:
                break
        name = seen.events[0]["response"]["id"]
        reply = strict.post(f"/responses/{name}/cancel", {})
        assert reply.status == 200, reply.text
        assert reply.json["id"] == name
        assert reply.json["status"] == "cancelled"
        for _ in live:
            pass
    assert seen.last["status"] == "cancelled"
    assert upstream.received(script).done.wait(60)
    entry = books.usage(seen.headers["x-request-id"])
    assert entry["prompt_tokens"] > 0
    assert 3 <= entry["completion_tokens"] < 2000
    books.settled()
    refused(strict.post(f"/responses/{name}/cancel", {}), *GONE)


def test_nobody_else_can(api: Api, books: Books) -> None:
    script = Script(pieces=["字"] * 40, rate=20)
    stranger = another(books.server)
    with streaming(api, input=asking(script)) as (seen, live):
        next(live)
        name = seen.events[0]["response"]["id"]
        refused(stranger.post(f"/responses/{name}/cancel", {}), *GONE)
        for _ in live:
            pass
    assert seen.last["status"] == "completed"


def test_a_token_for_other_models_cannot(api: Api, books: Books) -> None:
    script = Script(pieces=["字"] * 40, rate=20)
    limited = api.at(STRICT).bearing(books.server.token("--model", "ernie-3.5-8k"))
    with streaming(api, input=asking(script)) as (seen, live):
        next(live)
        name = seen.events[0]["response"]["id"]
        refused(limited.post(f"/responses/{name}/cancel", {}), *GONE)
        for _ in live:
            pass
    assert seen.last["status"] == "completed"


def test_one_that_waits_for_its_reader_is_made(api: Api, books: Books) -> None:
    """It is charged for, and is read to its end."""
    script = Script(["字"] * 100, times=10_000)
    strict = api.at(STRICT)
    with streaming(api, input=asking(script)) as (seen, live):
        name = "resp_" + seen.headers["x-request-id"].removeprefix("as-")
        assert books.usage(seen.headers["x-request-id"])["completion_tokens"] == 100
        reply = strict.post(f"/responses/{name}/cancel", {})
        assert (reply.status, reply.json["status"]) == (200, "completed")
        for _ in live:
            pass
    assert seen.last["status"] == "completed"
    assert seen.last["output"] == reply.json["output"]
