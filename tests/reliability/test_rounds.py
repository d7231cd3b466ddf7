"""`make faults`: a crowd of clients, something breaks at a random moment, and the books are read.

`XINGHE_FAULT_ROUNDS` says how many rounds on each database, `XINGHE_FAULT_SEED` which,
`XINGHE_FAULT_HARMS` what breaks in them.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.disk import small_disk
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.reliability.harm import ON_POSTGRES, ON_SQLITE, Harm
from tests.reliability.report import HEAD, row, table
from tests.reliability.stage import Stage, endow, made

ROUNDS = int(os.environ.get("XINGHE_FAULT_ROUNDS") or 0)
"""On each database; by default, one for each harm."""
HARMS = os.environ.get("XINGHE_FAULT_HARMS", "").split()
"""Names of harms; all, if there are none."""
SEED = int(os.environ.get("XINGHE_FAULT_SEED") or time.time_ns() % 10**6)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, upstream: Upstream) -> Iterator[Server]:
    with (
        small_disk(tmp_path / "disk", 400) as disk,
        made(disk / "data", tmp_path / "test.log", upstream, *request.param) as server,
    ):
        endow(server)
        yield server


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("server", "harms"),
    [([], ON_SQLITE), (["--postgres"], ON_POSTGRES)],
    ids=["sqlite", "postgresql"],
    indirect=["server"],
)
async def test_rounds(server: Server, harms: list[Harm]) -> None:
    dice = random.Random(SEED)
    stage = await asyncio.to_thread(Stage, server, dice)
    harms = [harm for harm in harms if not HARMS or harm.__name__ in HARMS]
    print(f"\nseed {SEED}\n{HEAD}", flush=True)
    rounds = []
    for number in range(ROUNDS or len(harms)):
        one = await stage.round(harms[number % len(harms)])
        print(row(number, one), flush=True)
        rounds.append(one)
    print(f"\n{table(rounds)}", flush=True)
    missed = [f"round {n}: {bar}" for n, one in enumerate(rounds) for bar in one.missed()]
    assert not missed, "\n".join(missed)
