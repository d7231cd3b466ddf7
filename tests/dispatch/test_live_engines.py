"""Which embedded engines shall run is told whenever it changes, and where they listen is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from xinghe.catalog import Catalog, LlamaCppDeployment, built, merged
from xinghe.dispatch import Live, Location
from xinghe.engines import Engine
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Settings
from xinghe.workers import QueueFull

HERE = Location("http://127.0.0.1:1", "key", ["<s>"], 0)


async def no_image(url: str) -> bytes:
    raise AssertionError(url)


class Told:
    """What the supervisor hears."""

    def __init__(self) -> None:
        self.wanted: list[list[str]] = []
        self.catalog: Catalog | None = None

    def __call__(self, catalog: Catalog, engines: Sequence[EngineWanted]) -> None:
        self.catalog = catalog
        self.wanted.append([each.id for each in engines])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(60))
    return path


def catalog(
    settings: Settings, file: Path, slots: int = 1, price: float = 1.0, **fields: Any
) -> Catalog:
    tiny = {"engine": "llamacpp", "weights": str(file), "slots": slots, "context": 2048, **fields}
    tree: dict[str, Any] = {"deployments": {"tiny": tiny}, "defaults": {"deployment": "tiny"}}
    tree["models"] = {"ernie-speed-8k": {"output_ratio": price}}
    return built(merged(tree), settings)


async def closed(live: Live) -> None:
    async with asyncio.timeout(10):
        while live.draining or live._closing:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_both_run_until_the_last_request_of_the_old_one_has_ended(
    tmp_path: Path, file: Path
) -> None:
    settings, told = Settings(data=str(tmp_path)), Told()
    live = Live(catalog(settings, file), settings, no_image, told)
    await live.start()
    ((old,),) = told.wanted
    assert live.serves(old)
    live.locate(old, HERE)
    leased = live.now.deployments.of_chat["tiny"]
    with leased:
        await live.apply(catalog(settings, file, slots=2))
        assert told.catalog is live.now.catalog
        (_, new) = told.wanted[-1]
        assert told.wanted[-1] == [old, new]
        assert (live.serves(old), live.serves(new)) == (False, True)
        assert [each.name for each in live.draining] == ["tiny"]
        # The way back needs nobody to be started.
        await live.apply(catalog(settings, file))
        assert live.now.deployments.of_chat["tiny"] is leased
        await closed(live)
        assert told.wanted[-1] == [old]
        await live.apply(catalog(settings, file, slots=2))
    await closed(live)
    assert told.wanted[-1] == [new]
    await live.aclose()


async def test_a_price_changes_no_engine(tmp_path: Path, file: Path) -> None:
    settings, told = Settings(data=str(tmp_path)), Told()
    live = Live(catalog(settings, file), settings, no_image, told)
    await live.start()
    before = live.now
    await live.apply(catalog(settings, file, price=3.0))
    assert live.now.catalog.models["ernie-speed-8k"].output_ratio == 3.0
    assert live.now.deployments.of_chat["tiny"] is before.deployments.of_chat["tiny"]
    assert told.wanted[0] == told.wanted[-1]
    assert told.catalog is live.now.catalog
    await live.aclose()


async def test_what_the_engine_is_not_loaded_with_changes_beside_its_requests(
    tmp_path: Path, file: Path
) -> None:
    settings, told = Settings(data=str(tmp_path)), Told()
    live = Live(catalog(settings, file, queue=3), settings, no_image, told)
    await live.start()
    ((only,),) = told.wanted
    live.locate(only, HERE)
    leased = live.now.deployments.of_chat["tiny"]
    with leased as old:
        async with old.engine.admission.hold(2048, priority=False):
            fields: dict[str, Any] = {
                "queue": 0,
                "longest_wait": 9,
                "thinking": 64,
                "repeat_penalty": 1.2,
            }
            await live.apply(catalog(settings, file, **fields))
            assert told.wanted[-1] == [only]
            assert live.serves(only)
            new = live.now.deployments.of_chat["tiny"].at_work
            assert new is not old
            # Its places are the same ones, and taken; for them waits who the new spec lets wait.
            assert not new.engine.admission.has_room(2048)
            with pytest.raises(QueueFull):
                await _hold(new.engine)
            # The way back has the old bounds again.
            await live.apply(catalog(settings, file, queue=3))
            assert live.now.deployments.of_chat["tiny"] is leased
            waiting = asyncio.create_task(_hold(old.engine))
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
    await closed(live)
    assert told.wanted[-1] == [only]
    await live.aclose()


async def _hold(engine: Engine) -> None:
    async with engine.admission.hold(2048, priority=False):
        pass


def test_two_engines_on_one_child_know_whose_its_slots_are() -> None:
    spec = LlamaCppDeployment(weights="w", slots=2, context=2048)
    one = LlamaCppEngine("e/m", spec)
    one.locate("http://127.0.0.1:1", "a key")
    slots = one._child.slots
    other = LlamaCppEngine("e/m", spec, one)
    other.locate("http://127.0.0.1:1", "a key")
    assert one._child.slots is other._child.slots is slots
    for each in (one, other):
        each.locate("http://127.0.0.1:2", "another")
    assert one._child.slots is other._child.slots is not slots


async def test_whoever_asks_is_told_at_once_that_an_engine_has_come_or_gone(
    tmp_path: Path, file: Path
) -> None:
    settings, told = Settings(data=str(tmp_path)), Told()
    live = Live(catalog(settings, file), settings, no_image, told)
    await live.start()
    ((engine,),) = told.wanted

    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(healthy, "127.0.0.1", 0) as server:
        assert await live.ready() == {"tiny": False}
        port = server.sockets[0].getsockname()[1]
        live.locate(engine, Location(f"http://127.0.0.1:{port}", "key", ["<s>"], 0))
        assert await live.ready() == {"tiny": True}
        live.locate(engine, Location(None))
        assert await live.ready() == {"tiny": False}
    await live.aclose()
