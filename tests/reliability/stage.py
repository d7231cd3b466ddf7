"""The service of a fault run, and what its books say."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.reliability.harm import Harm
from tests.reliability.report import Round
from tests.reliability.trade import BUYER, OPERATOR, OTHER, Trade
from tests.reliability.traffic import ACCOUNTS, Traffic


def made(data: Path, log: Path, upstream: Upstream, *options: str) -> Server:
    """A service for all clients at once, not started yet; its log is kept where there is room."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models = models.replace("slots = 64", "slots = 400")
    server = Server(data, *options, models=models, settings=QUICK)
    server.log = log
    return server


def endow(server: Server) -> None:
    for account in (*ACCOUNTS, "probe"):
        server.run("member", "create", account)
        server.run("member", "grant", account, "1000000000")
    for account in (BUYER, OTHER, OPERATOR):
        server.run("member", "create", account, "--tokens", "0")
    server.run("member", "operator", OPERATOR, "yes")


class Stage:
    """The service, and what its books said before."""

    def __init__(self, server: Server, dice: random.Random) -> None:
        self.server = server
        self.dice = dice
        self.tokens = {who: server.token(account=who) for who in ACCOUNTS}
        self.probe = server.token(account="probe")
        self.trade = Trade(server, dice, ["whole", "keyed"])
        self._seen: set[int] = set()

    async def round(self, harm: Harm) -> Round:
        traffic = Traffic(lambda: self.server.url, self.tokens, self.dice)
        running = asyncio.create_task(traffic.run())
        closed, before = threading.Event(), self.trade.operations
        trading = asyncio.create_task(asyncio.to_thread(self.trade.run, closed))
        await asyncio.sleep(self.dice.uniform(1.5, 5))
        await asyncio.to_thread(harm, self.server, self.dice)
        over = time.monotonic()
        await asyncio.to_thread(self._answers)
        recovery = time.monotonic() - over
        await asyncio.sleep(2)
        traffic.over.set()
        closed.set()
        await running
        await trading
        held = await asyncio.to_thread(self.settled)
        return Round(
            harm.__name__,
            traffic.asked["streams"],
            traffic.asked["whole"],
            traffic.asked["keyed"],
            await asyncio.to_thread(self.charged),
            held,
            recovery,
            self.trade.operations - before,
            await asyncio.to_thread(self.trade.missed),
        )

    def _answers(self) -> None:
        api = Api(self.server.url, self.probe)
        end = time.monotonic() + 90
        while True:
            with suppress(OSError, EOFError, AssertionError):
                if api.chat(model=CHAT, messages=Script().messages).status == 200:
                    return
            assert time.monotonic() < end, f"no answer after 90 s:\n{self.server.tail()}"
            time.sleep(0.05)

    def settled(self) -> int:
        """Waits until nothing is held; returns what is held nevertheless. The books agree."""
        end = time.monotonic() + 60
        while held := sum(Books(self.server, who).shown()["held"] for who in ACCOUNTS):
            if time.monotonic() > end:
                break
            time.sleep(0.2)
        Books(self.server).check()
        return int(held)

    def charged(self) -> dict[str, dict[str, tuple[int, int]]]:
        """What is new in the books."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for who in ACCOUNTS:
            entries = Books(self.server, who).entries(100_000)
            usage = [each for each in entries if each["kind"] == "usage"]
            new = [each for each in usage if each["id"] not in self._seen]
            self._seen |= {each["id"] for each in entries}
            found[who] = {
                each["request_id"]: (each["completion_tokens"], -each["amount"] // MICRO)
                for each in new
            }
            assert len(found[who]) == len(new), "a request was charged twice"
        return found
