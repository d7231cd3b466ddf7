"""Embedded engines start and stop as they are wanted, while the others go on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from xinghe.catalog import LlamaCppDeployment
from xinghe.engines.llamacpp.child import ChildReady
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Embedded, Settings
from xinghe.supervisor import engines as supervised
from xinghe.supervisor.child import MAX_LINE, ServeError
from xinghe.supervisor.engines import Engines
from xinghe.supervisor.messages import EngineLocation, EngineThreads

SETTINGS = Settings(embedded=Embedded(threads=1))


class Heard:
    """What the gateway would be told."""

    def __init__(self) -> None:
        self.news: list[EngineLocation | EngineThreads] = []

    def __call__(self, news: EngineLocation | EngineThreads) -> None:
        self.news.append(news)

    def places(self, wanted: EngineWanted) -> list[EngineLocation]:
        return [
            each
            for each in self.news
            if isinstance(each, EngineLocation) and each.engine == wanted.id
        ]

    def pid(self, wanted: EngineWanted) -> int:
        """Where it runs now; 0 where it does not."""
        places = self.places(wanted)
        return places[-1].pid if places and places[-1].address else 0


@pytest.fixture
def small(small_weights: str) -> Callable[..., EngineWanted]:
    """An engine on the small weights."""

    def wanted(name: str, slots: int = 1) -> EngineWanted:
        spec = LlamaCppDeployment(weights=small_weights, slots=slots, context=512)
        return EngineWanted(name, spec)

    return wanted


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(engines: Engines, heard: Heard) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(engines.run(heard))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await engines.stop()


@pytest.mark.embedded
async def test_they_follow_what_is_wanted(small: Callable[..., EngineWanted]) -> None:
    one, changed, heard = small("one"), small("one", slots=2), Heard()
    engines = Engines([one], SETTINGS)
    async with running(engines, heard):
        await until(lambda: heard.pid(one))
        first = heard.pid(one)
        # Both while requests hold the old one, then the new one alone.
        engines.follow([one, changed])
        await until(lambda: heard.pid(changed))
        second = heard.pid(changed)
        assert heard.pid(one) == first
        assert [state.engine for state in engines.states] == [one.id, changed.id]
        engines.follow([changed])
        assert heard.places(one)[-1].gone
        await until(lambda: not psutil.pid_exists(first))
        # Wanted again before it has ended: it is another child.
        engines.follow([])
        engines.follow([changed])
        assert heard.pid(changed) == 0
        await until(lambda: heard.pid(changed))
        third = heard.pid(changed)
        assert third != second
        assert heard.places(one)[-1].gone
    await until(lambda: not any(map(psutil.pid_exists, (second, third))))


@pytest.mark.embedded
async def test_only_a_first_one_that_cannot_start_ends_the_service(
    small: Callable[..., EngineWanted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "STARTS_TRIED", 1)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    spec = LlamaCppDeployment(weights=str(broken), slots=1, context=512)
    bad, good, heard = EngineWanted("bad", spec), small("good"), Heard()
    engines = Engines([good], SETTINGS)
    async with running(engines, heard) as task:
        await until(lambda: heard.pid(good))
        engines.follow([good, bad])
        await until(lambda: len(heard.places(bad)) >= 2)
        assert not task.done()
        engines.follow([good])
        assert psutil.pid_exists(heard.pid(good))
    with pytest.raises(ServeError, match="bad"):
        await Engines([bad], SETTINGS).run(Heard())


@pytest.fixture
def babbling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., EngineWanted]:
    """An engine whose child says what it is given, and lives on."""
    monkeypatch.setattr(supervised, "ENGINE", "tests.supervisor.babbling")

    def wanted(name: str, said: bytes) -> EngineWanted:
        path = tmp_path / name
        path.write_bytes(said)
        return EngineWanted(name, LlamaCppDeployment(weights=str(path)))

    return wanted


READY = msgspec.json.encode(ChildReady("http://127.0.0.1:9", 1, [], "", False)) + b"\n"


async def test_a_later_one_that_cannot_be_understood_is_started_again_and_ends_nothing(
    babbling: Callable[..., EngineWanted],
) -> None:
    good, heard = babbling("good", READY), Heard()
    said = [b"nonsense\n", b'{"address": 5}\n', b"x" * (MAX_LINE + 100_000)]
    odd = [babbling(f"odd{number}", each) for number, each in enumerate(said)]
    engines = Engines([good], SETTINGS)
    async with running(engines, heard) as task:
        await until(lambda: heard.pid(good))
        engines.follow([good, *odd])
        await until(lambda: all(len(heard.places(each)) >= 2 for each in odd))
        assert not task.done()
        engines.follow([good])
        # Not even what could not be understood is left running.
        await until(lambda: _babbling() == [heard.pid(good)])
        assert not task.done()


async def test_a_model_file_that_is_not_here_is_waited_for(
    babbling: Callable[..., EngineWanted],
) -> None:
    good, late, heard = babbling("good", READY), babbling("late", READY), Heard()
    there, elsewhere = Path(late.spec.weights), Path(late.spec.weights + ".part")
    os.rename(there, elsewhere)
    engines = Engines([good], SETTINGS)
    async with running(engines, heard):
        await until(lambda: heard.pid(good))
        engines.follow([good, late])
        await until(lambda: heard.places(late))
        assert heard.places(late)[-1].broken
        assert _babbling() == [heard.pid(good)]
        os.rename(elsewhere, there)
        await until(lambda: heard.pid(late))
        assert [each.broken for each in heard.places(late)] == [True, False, False]


def _babbling() -> list[int]:
    children = psutil.Process().children()
    return [each.pid for each in children if supervised.ENGINE in " ".join(each.cmdline())]


async def test_a_later_one_that_the_system_starts_no_process_for_is_tried_again(
    babbling: Callable[..., EngineWanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, late, heard = babbling("good", READY), babbling("late", READY), Heard()
    engines = Engines([good], SETTINGS)
    async with running(engines, heard) as task:
        await until(lambda: heard.pid(good))
        with monkeypatch.context() as without:
            without.setattr(sys, "executable", "/nowhere/python")
            engines.follow([good, late])
            await until(lambda: heard.places(late))
        await until(lambda: heard.pid(late))
        assert not task.done()
        assert psutil.pid_exists(heard.pid(good))


async def test_a_first_one_that_cannot_be_understood_ends_the_service_with_a_word(
    babbling: Callable[..., EngineWanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "STARTS_TRIED", 1)
    odd = babbling("odd", b"nonsense\n")
    with pytest.raises(ServeError, match=r"deployment odd ended 1 times .*JSON is malformed"):
        await Engines([odd], SETTINGS).run(Heard())
