"""Two services on one PostgreSQL; one is stopped for longer than it takes to be taken for dead."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.kit.postgres import cluster
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.reliability.report import Round
from tests.reliability.stage import Stage, endow, made
from tests.reliability.traffic import WHOLE, Traffic
from tests.supervisor.kit import GATEWAY, child

STOPPED = 45.0
"""Seconds; 30 are enough."""


@pytest.fixture
def services(tmp_path: Path, upstream: Upstream) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        url = stack.enter_context(cluster(tmp_path / "postgres", {})).empty()
        started = []
        (tmp_path / "images").mkdir()
        for name in ("stopped", "other"):
            server = made(tmp_path / name, tmp_path / f"{name}.log", upstream)
            (tmp_path / name / "xinghe.toml").write_text(
                f'[database]\nurl = "{url}"\n[images]\nfolder = "{tmp_path}/images"\n', "utf-8"
            )
            started.append(stack.enter_context(server))
        yield started


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_one_is_stopped(services: list[Server]) -> None:
    stopped = services[0]
    await asyncio.to_thread(endow, stopped)
    dice = random.Random(3)
    stage = await asyncio.to_thread(Stage, stopped, dice)
    here, there = (
        Traffic(partial(getattr, service, "url"), stage.tokens, dice) for service in services
    )
    running = asyncio.gather(here.run(), there.run())
    await asyncio.sleep(3)
    gateway = child(stopped, GATEWAY)
    gateway.suspend()
    await asyncio.sleep(STOPPED)
    gateway.resume()
    await asyncio.sleep(5)
    here.over.set()
    there.over.set()
    await running
    held = await asyncio.to_thread(stage.settled)
    asked = {who: here.asked[who] + there.asked[who] for who in here.asked}
    charged = await asyncio.to_thread(stage.charged)
    both = Round(
        "stopped", asked["streams"], asked["whole"], asked["keyed"], charged, held, recovery=0.0
    )
    print(f"a stream at most {min(both.differences):+} of {len(both.streams)}, free {both.free}")
    assert "taken_for_dead" in stopped.log.read_text("utf-8")
    assert both.held == 0
    assert both.free == 0
    assert both.keyed_difference == 0
    assert both.unheard <= WHOLE
    # What came after the last checkpoint is free, and nobody pays for what did not come.
    assert max(both.differences) == 0
    for one in there.asked["streams"]:
        assert (one.arrived, charged["streams"][one.request_id][0]) == (True, one.completion)
