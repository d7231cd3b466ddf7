"""Which embedded engines shall run is told whenever it changes, and where they listen is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from xinghe.catalog import Catalog, built, merged
from xinghe.dispatch import Live, Location
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Settings

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


def catalog(settings: Settings, file: Path, slots: int = 1, price: float = 1.0) -> Catalog:
    tiny = {"engine": "llamacpp", "weights": str(file), "slots": slots, "context": 2048}
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
        assert live.draining == ["tiny"]
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
