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

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.disk import small_disk
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.reliability.harm import ON_POSTGRES, ON_SQLITE, Harm
from tests.reliability.report import HEAD, Round, row, table
from tests.reliability.traffic import ACCOUNTS, Traffic

ROUNDS = int(os.environ.get("XINGHE_FAULT_ROUNDS") or 0)
"""On each database; by default, one for each harm."""
HARMS = os.environ.get("XINGHE_FAULT_HARMS", "").split()
"""Names of harms; all, if there are none."""
SEED = int(os.environ.get("XINGHE_FAULT_SEED") or time.time_ns() % 10**6)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, upstream: Upstream) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models = models.replace("slots = 64", "slots = 400")
    with small_disk(tmp_path / "disk", 400) as disk:
        server = Server(disk / "data", *request.param, models=models, settings=QUICK)
        server.log = tmp_path / "test.log"  # the log has room
        with server:
            for account in (*ACCOUNTS, "probe"):
                server.run("account", "create", account)
                server.run("account", "grant", account, "1000000000")
            yield server


class Stage:
    """The service, and what its books said before."""

    def __init__(self, server: Server, dice: random.Random) -> None:
        self.server = server
        self.dice = dice
        self.tokens = {who: server.token(account=who) for who in ACCOUNTS}
        self.probe = server.token(account="probe")
        self._seen: set[int] = set()

    async def round(self, harm: Harm) -> Round:
        traffic = Traffic(lambda: self.server.url, self.tokens, self.dice)
        running = asyncio.create_task(traffic.run())
        await asyncio.sleep(self.dice.uniform(1.5, 5))
        await asyncio.to_thread(harm, self.server, self.dice)
        over = time.monotonic()
        await asyncio.to_thread(self._answers)
        recovery = time.monotonic() - over
        await asyncio.sleep(2)
        traffic.over.set()
        await running
        held = await asyncio.to_thread(self._settled)
        return Round(
            harm.__name__,
            traffic.asked["streams"],
            traffic.asked["whole"],
            traffic.asked["keyed"],
            await asyncio.to_thread(self._charged),
            held,
            recovery,
        )

    def _answers(self) -> None:
        end = time.monotonic() + 90
        while True:
            try:
                script = Script()
                if (
                    Api(self.server.url, self.probe)
                    .chat(model=CHAT, messages=script.messages)
                    .status
                    == 200
                ):
                    return
            except (OSError, EOFError, AssertionError):
                pass
            assert time.monotonic() < end, f"no answer after 90 s:\n{self.server.tail()}"
            time.sleep(0.05)

    def _settled(self) -> int:
        """Waits until nothing is held; returns what is held nevertheless. The books agree."""
        end = time.monotonic() + 60
        while held := sum(Books(self.server, who).shown()["held"] for who in ACCOUNTS):
            if time.monotonic() > end:
                break
            time.sleep(0.2)
        Books(self.server).check()
        return int(held)

    def _charged(self) -> dict[str, dict[str, tuple[int, int]]]:
        """What is new in the books."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for who in ACCOUNTS:
            entries = Books(self.server, who).entries(100_000)
            new = [
                each for each in entries if each["id"] not in self._seen and each["kind"] == "usage"
            ]
            self._seen |= {each["id"] for each in entries}
            found[who] = {
                each["request_id"]: (each["completion_tokens"], -each["amount"] // MICRO)
                for each in new
            }
            assert len(found[who]) == len(new), "a request was charged twice"
        return found


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
