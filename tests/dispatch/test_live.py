"""What serves is changed while requests run: none of them notices, and the next one has it.

The whole gateway runs in this process: clients ask over HTTP, and what it holds can be counted.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import msgspec
import pytest
import pytest_asyncio

from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.gateway import Gateway, gateway
from tests.kit.models import CHAT, DULL, TIGHT
from tests.kit.pace import allowed
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import free_port
from tests.kit.sse import Stream
from tests.kit.upstream import Upstream
from xinghe.catalog import CatalogError
from xinghe.dispatch.chat import ChatDeployment
from xinghe.engines.upstream import UpstreamEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")
T = TypeVar("T")
Tree = dict[str, Any]

CARD = {
    "kind": "chat", "context": 32768, "max_input": 16384, "output_max": 2048,
    "output_default": 1024, "input_ratio": 1.0, "output_ratio": 2.0, "deployment": "scripted",
}  # fmt: skip

MADE: WeakSet[ChatDeployment] = WeakSet()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads enough for all clients of a test."""
    with ThreadPoolExecutor(80) as threads:
        yield threads


@pytest.fixture(scope="module")
def other() -> Iterator[Upstream]:
    """The server that deployments are moved to."""
    with Upstream() as running:
        yield running


def tree(upstream: Upstream) -> Tree:
    """An operator's file: models on a deployment `scripted`, and one on another."""
    server = {"engine": "upstream", "url": upstream.url, "context": 131072}
    return {
        "limits": {"qps": 0, "rpm": 0, "tpm": 0},
        "defaults": {"rpm": 0, "tpm": 0, "deployment": "scripted"},
        "deployments": {
            "scripted": {**server, "model": "scripted", "slots": 128},
            "dull": {**server, "model": "dull", "tools": False, "structure": "none"},
        },
        "models": {
            CHAT: dict(CARD),
            TIGHT: dict(CARD),
            DULL: {**CARD, "deployment": "dull"},
        },
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[Gateway]:
    text = "\n".join(_toml(tree(upstream)))
    initialize = ChatDeployment.__init__

    def counted(made: ChatDeployment, *given: Any, **named: Any) -> None:
        initialize(made, *given, **named)
        MADE.add(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChatDeployment, "__init__", counted)
        async with gateway(tmp_path_factory.mktemp("data"), text) as made:
            yield made


@pytest_asyncio.fixture(loop_scope="module")
async def running(service: Gateway, upstream: Upstream) -> Gateway:
    """The service, serving by `tree` and by nothing else."""
    await service.system.live.apply(service.catalog(tree(upstream)))
    await until(lambda: not service.system.live.draining)
    return service


def _toml(tables: Tree, path: str = "") -> Iterator[str]:
    plain = {name: value for name, value in tables.items() if not isinstance(value, dict)}
    if path:
        yield f"[{path}]"
    for name, value in plain.items():
        yield f"{name} = {msgspec.json.encode(value).decode()}"
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _toml(value, f'{path}."{name}"' if path else f'"{name}"')


class Streams:
    """Streams that clients read, each in a thread of its own."""

    def __init__(self, api: Api, pool: ThreadPoolExecutor, models: list[str]) -> None:
        self._begun = threading.Semaphore(0)
        self.scripts = [Script(pieces=["字"] * 30, rate=15) for _ in models]
        loop = asyncio.get_running_loop()
        self._reading = [
            loop.run_in_executor(pool, self._read, api, model, script)
            for model, script in zip(models, self.scripts, strict=True)
        ]

    def _read(self, api: Api, model: str, script: Script) -> Stream:
        with api.streaming(model=model, messages=script.messages) as (stream, live):
            for event in live:
                stream.take(event)
                if len(stream.chunks) == 3:
                    self._begun.release()
        return stream

    async def begun(self) -> None:
        """Return once all of them have been given some of their answers."""
        for _ in self.scripts:
            assert await asyncio.to_thread(self._begun.acquire, timeout=30)

    async def ended(self) -> list[Stream]:
        """All of them, each read to its proper end."""
        streams = await asyncio.gather(*self._reading)
        for stream, script in zip(streams, self.scripts, strict=True):
            assert stream.done
            assert not stream.errors
            assert stream.content == script.text
        return streams


async def asked(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What a client's call gives, made in a thread."""
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def at_work() -> int:
    """How many chat deployments there are in this process, closed ones included."""
    gc.collect()
    return len(MADE)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_change_under_fifty_streams(
    running: Gateway, upstream: Upstream, other: Upstream, pool: ThreadPoolExecutor
) -> None:
    live, api = running.system.live, running.api
    before = at_work()
    streams = Streams(api, pool, ([CHAT, TIGHT, DULL] * 17)[:50])
    await streams.begun()
    changed = tree(upstream)
    changed["deployments"]["scripted"]["url"] = other.url
    changed["deployments"]["fresh"] = changed["deployments"]["scripted"] | {"model": "fresh"}
    changed["models"][CHAT] |= {"input_ratio": 10.0, "output_ratio": 20.0, "output_max": 5}
    changed["models"][CHAT] |= {"output_default": 5}
    changed["models"]["new"] = {**CARD, "deployment": "fresh"}
    del changed["models"][TIGHT]
    began = time.monotonic()
    await live.apply(running.catalog(changed))
    next_one, gone, new = Script(), Script(), Script(pieces=["新"])
    moved = await asked(pool, lambda: api.chat(model=CHAT, messages=next_one.messages))
    refusal = await asked(pool, lambda: api.chat(model=TIGHT, messages=gone.messages))
    made = await asked(pool, lambda: api.chat(model="new", messages=new.messages))
    assert time.monotonic() - began < allowed(1)
    assert at_work() > before + 1  # the streams keep what serves them
    answered(moved)
    refused(refusal, 404, "invalid_request_error", "no_such_model")
    assert answered(made)["choices"][0]["message"]["content"] == "新"
    assert other.received(next_one).body["max_tokens"] == 5
    assert upstream.attempts(next_one) == upstream.attempts(gone) == []
    listed = (await asked(pool, lambda: api.get("/models"))).json["data"]
    shown = {each["id"]: each["xinghe"] for each in listed}
    assert shown[CHAT]["output_ratio"] == 20.0
    assert "new" in shown
    assert TIGHT not in shown
    assert (await asked(pool, lambda: api.get(f"/models/{TIGHT}"))).status == 404

    ended = await streams.ended()
    for script in streams.scripts:
        upstream.received(script)  # once, and where it began
    charged = await running.charged()
    for stream in ended:
        usage = stream.usage
        assert usage is not None
        cost = usage["prompt_tokens"] + 2 * usage["completion_tokens"]
        assert charged[stream.headers["x-request-id"]] == pytest.approx(cost)
    usage = moved.json["usage"]
    cost = 10 * usage["prompt_tokens"] + 20 * usage["completion_tokens"]
    assert charged[moved.headers["x-request-id"]] == pytest.approx(cost)
    # What served before is closed, and nothing keeps it.
    await until(lambda: at_work() <= before + 1)
    assert all(not each.held for each in live.now.deployments.by_name.values())


async def test_what_is_the_same_goes_on_as_it_is(running: Gateway, upstream: Upstream) -> None:
    live = running.system.live
    before = live.now.deployments.by_name
    changed = tree(upstream)
    changed["deployments"]["dull"]["slots"] = 3
    changed["models"][CHAT]["rpm"] = 7
    await live.apply(running.catalog(changed))
    now = live.now.deployments.by_name
    assert {name for name in before if now[name] is not before[name]} == {"dull"}
    same = live.now
    await live.apply(running.catalog(changed))
    assert live.now is same


async def test_a_way_back_finds_what_is_held_still_at_work(
    running: Gateway, upstream: Upstream, other: Upstream, pool: ThreadPoolExecutor
) -> None:
    live = running.system.live
    first = live.now.deployments.by_name["scripted"]
    streams = Streams(running.api, pool, [CHAT])
    await streams.begun()
    changed = tree(upstream)
    changed["deployments"]["scripted"]["url"] = other.url
    await live.apply(running.catalog(changed))
    assert live.now.deployments.by_name["scripted"] is not first
    told = (await asked(pool, lambda: running.api.at("").get("/readyz"))).json
    assert told["draining"] == ["scripted"]
    await live.apply(running.catalog(tree(upstream)))
    assert live.now.deployments.by_name["scripted"] is first
    await streams.ended()
    answered(await asked(pool, lambda: running.api.chat(model=CHAT)))


async def test_a_request_holds_all_that_it_may_fall_back_to(
    running: Gateway, upstream: Upstream, other: Upstream, pool: ThreadPoolExecutor
) -> None:
    live, first, script = running.system.live, tree(upstream), Script(delay=0.5)
    gone = f"http://127.0.0.1:{free_port()}/v1"
    first["deployments"]["scripted"]["url"] = gone
    first["deployments"]["spare"] = first["deployments"]["dull"] | {"url": other.url}
    first["models"][CHAT]["fallback"] = ["spare"]
    await live.apply(running.catalog(first))
    asking = asyncio.create_task(
        asked(pool, lambda: running.api.chat(model=CHAT, messages=script.messages))
    )
    await until(lambda: live.now.deployments.by_name["spare"].held == 1)
    await live.apply(running.catalog(tree(upstream)))
    assert sorted(each.name for each in live.draining) == ["scripted", "spare"]
    assert (await asking).headers["x-served-by"] == "spare/dull"
    other.received(script)
    await until(lambda: not live.draining)


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        ({"engine": "llamacpp", "weights": "/no/such.gguf"}, ["no file", "/no/such.gguf"]),
        ({"engine": "llamacpp", "weights": "{folder}/text.gguf"}, ["no GGUF file"]),
        ({"engine": "llamacpp", "weights": "{folder}"}, ["no file"]),
        ({"engine": "llamacpp", "weights": "nobody-knows"}, ["nobody-knows"]),
    ],
)
async def test_a_change_that_fails_changes_nothing(
    running: Gateway, upstream: Upstream, tmp_path: Path, deployment: Tree, says: list[str]
) -> None:
    live, before = running.system.live, running.system.live.now
    (tmp_path / "text.gguf").write_text("# a page")
    there = at_work()
    broken = {
        name: value.format(folder=f"{tmp_path}/") if isinstance(value, str) else value
        for name, value in deployment.items()
    }
    changed = tree(upstream)
    changed["deployments"]["scripted"]["slots"] = 1
    changed["deployments"]["broken"] = broken
    changed["models"]["new"] = {**CARD, "deployment": "broken"}
    with pytest.raises(CatalogError) as error:
        await live.apply(running.catalog(changed))
    assert all(part in str(error.value) for part in ["deployments.broken", "`weights`", *says])
    assert live.now is before
    assert at_work() <= there


async def test_changes_at_once_go_one_after_another(
    running: Gateway, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    live = running.system.live
    catalogs = []
    for slots in range(10, 30):
        changed = tree(upstream)
        changed["deployments"]["scripted"]["slots"] = slots
        catalogs.append(running.catalog(changed))
    before = at_work()
    await asyncio.gather(*map(live.apply, catalogs))
    assert live.now.catalog == catalogs[-1]
    answered(await asked(pool, lambda: running.api.chat(model=CHAT)))
    await until(lambda: at_work() <= before)


async def test_limits_hold_from_the_next_request_on(
    running: Gateway, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    live, api = running.system.live, running.api

    async def status(**limits: Any) -> list[int]:
        changed = tree(upstream)
        changed["limits"] |= {name: value for name, value in limits.items() if name != "card"}
        changed["models"][CHAT] |= limits.get("card", {})
        await live.apply(running.catalog(changed))
        return [(await asked(pool, lambda: api.chat(model=CHAT))).status for _ in range(3)]

    assert await status() == [200, 200, 200]
    assert await status(card={"rpm": 2}) == [200, 200, 429]
    assert await status(card={"rpm": 100}) == [200, 200, 200]
    assert await status(card={"tpm": 1}) == [200, 429, 429]
    assert await status(qps=0.01) == [200, 429, 429]
    assert await status() == [200, 200, 200]
    changed = tree(upstream)
    changed["limits"]["rpm"] = 1
    await live.apply(running.catalog(changed))
    assert [(await asked(pool, lambda: api.get("/models"))).status for _ in range(2)] == [200, 429]


async def test_a_request_keeps_to_what_served_when_its_body_was_there(
    running: Gateway, upstream: Upstream, other: Upstream, pool: ThreadPoolExecutor
) -> None:
    """A slow client holds nothing while it sends; from then on nothing changes for it."""
    script = Script(delay=0.5)
    body = msgspec.json.encode({"model": CHAT, "messages": script.messages})
    changed = tree(upstream)
    changed["deployments"]["scripted"]["url"] = other.url
    changed["models"][CHAT]["output_ratio"] = 50.0
    with Connection(running.api.url) as connection:
        head = {**running.api.headers, "Content-Length": str(len(body))}
        path = f"{running.api.mount}/chat/completions"
        await asyncio.to_thread(connection.request, "POST", path, None, head)
        await asyncio.to_thread(connection.send, body[:20])
        await asyncio.sleep(0.1)
        await running.system.live.apply(running.catalog(changed))
        await asyncio.to_thread(connection.send, body[20:])
        await until(lambda: bool(other.attempts(script)))
        await running.system.live.apply(running.catalog(tree(upstream)))
        reply = await asyncio.to_thread(connection.reply)
    usage = answered(reply)["usage"]
    cost = usage["prompt_tokens"] + 50 * usage["completion_tokens"]
    assert (await running.charged())[reply.headers["x-request-id"]] == pytest.approx(cost)


async def test_however_a_request_ends_it_gives_back_what_it_held(
    running: Gateway, pool: ThreadPoolExecutor
) -> None:
    api, live = running.api, running.system.live
    slow = Script(pieces=["字"] * 500, rate=50)

    def leaves() -> None:
        with api.streaming(model=CHAT, messages=slow.messages) as (_, events):
            next(events)

    ways: list[Callable[[], object]] = [
        lambda: api.chat(model=CHAT),
        lambda: api.chat(model=CHAT, messages=Script(fault="status").messages),
        lambda: api.chat(model=CHAT, messages=Script(fault="reset", after=1).messages),
        lambda: api.chat(model=CHAT, temperature=9),
        lambda: api.chat(model=CHAT, messages=[]),
        lambda: api.chat(model=CHAT, tools=[{}]),
        lambda: api.chat(model=CHAT, messages=[{"role": "user", "content": "长" * 70000}]),
        lambda: api.chat(model="nobody"),
        lambda: api.post("/embeddings", {"input": "字" * 5000}),
        lambda: api.post("/embeddings", {"input": ""}),
        lambda: api.post("/images/generations", {"model": "stable-diffusion-xl", "prompt": ""}),
        leaves,
    ]
    await asyncio.gather(*(asked(pool, way) for way in ways))
    await until(lambda: not any(each.held for each in live.now.deployments.by_name.values()))


async def test_a_speed_is_of_who_serves_now(
    running: Gateway, upstream: Upstream, other: Upstream, pool: ThreadPoolExecutor
) -> None:
    api, live = running.api, running.system.live

    async def speed(model: str) -> float | None:
        shown = (await asked(pool, lambda: api.get(f"/models/{model}"))).json
        first: float | None = shown["xinghe"]["first_token_ms"]
        return first

    for model in (CHAT, DULL):
        answered(await asked(pool, lambda model=model: api.chat(model=model)))  # type: ignore[misc]
    streams = Streams(api, pool, [CHAT])
    await streams.begun()
    changed = tree(upstream)
    changed["deployments"]["scripted"]["url"] = other.url
    await live.apply(running.catalog(changed))
    await streams.ended()
    assert await speed(CHAT) is None
    assert await speed(DULL) is not None
    answered(await asked(pool, lambda: api.chat(model=CHAT)))
    assert await speed(CHAT) is not None


async def test_vectors_come_from_who_serves_now(
    running: Gateway, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    """Those of requests, and those that search asks for; a model that is gone is refused."""
    api, live = running.api, running.system.live
    ask = {"input": "你好"}
    first = await asked(pool, lambda: api.post("/embeddings", ask))
    assert first.headers["x-served-by"].startswith("embedding/")
    changed = tree(upstream)
    changed["deployments"]["away"] = {
        "engine": "upstream-embedding", "url": f"http://127.0.0.1:{free_port()}/v1", "model": "m",
    }  # fmt: skip
    changed["models"]["embedding-v1"] = {"deployment": "away"}
    await live.apply(running.catalog(changed))
    moved = await asked(pool, lambda: api.post("/embeddings", ask))
    assert moved.headers["x-served-by"] == "away/m"
    assert moved.status >= 500
    await live.apply(running.catalog(tree(upstream)))
    again = await asked(pool, lambda: api.post("/embeddings", ask))
    assert again.json["data"] == first.json["data"]


async def test_readiness_follows(
    running: Gateway, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    api, live = running.api.at(""), running.system.live
    ready = await asked(pool, lambda: api.get("/readyz"))
    assert set(ready.json["checks"]) >= {"deployment scripted", "deployment dull"}
    changed = tree(upstream)
    del changed["models"][DULL]
    changed["deployments"]["scripted"]["url"] = f"http://127.0.0.1:{free_port()}/v1"
    engine = live.now.deployments.of_chat["scripted"].at_work.engine
    assert isinstance(engine, UpstreamEngine)
    engine._pool.replicas[0].server.refused_with = 402
    owed = await asked(pool, lambda: api.get("/readyz"))
    assert owed.json["refusals"] == {"deployment scripted": 402}
    await live.apply(running.catalog(changed))
    after = await asked(pool, lambda: api.get("/readyz"))
    assert "refusals" not in after.json
    assert after.status == 503
    assert after.json["checks"]["deployment scripted"] is False
    assert "deployment dull" not in after.json["checks"]


async def test_one_that_was_closed_is_asked_nothing(running: Gateway, upstream: Upstream) -> None:
    """It would open its connections again, and nobody would close them."""
    live, script = running.system.live, tree(upstream)
    old = live.now.deployments.by_name["scripted"]
    script["deployments"]["scripted"]["slots"] = 3
    assert await old.ready()
    await live.apply(running.catalog(script))
    assert not await old.ready()
    assert not old.held
