"""Who buys, redeems, transfers and has refunded in a round, each until there is an answer."""

from __future__ import annotations

import datetime
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import Any

from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.models import CHAT
from tests.kit.server import Server

ADMIN = "/admin/v1"
TRADERS = 4
BUYER, OTHER, OPERATOR = "buyer", "other", "operator"
CODES = 3000
PATIENCE = 150
"""Seconds after which somebody who tries again gives up."""
LOST = (OSError, EOFError, AssertionError, ValueError)


class Trade:
    """What its clients were told, by kind of entry, is what the books must say: each of it once."""

    def __init__(self, server: Server, dice: random.Random, payers: list[str]) -> None:
        self.server = server
        self.token = server.token("--scope", "admin", account=OPERATOR)
        self.done: Counter[str] = Counter()
        """Tokens, by kind; those that were taken away are negative."""
        self.operations = 0
        self._dice, self._numbers = dice, count(1)
        self._wallets = {who: self._wallet(who) for who in (BUYER, OTHER, *payers)}
        self._payers = payers
        self._package = self._ask("/packages", name="p", tokens=100, price=9.9)["id"]
        until = _moment(time.time() + 86_400)
        made = self._ask("/codes", name="c", amount=7, count=CODES, expires_at=until)
        self._codes: list[str] = made["codes"]

    def run(self, over: Event) -> None:
        """Until it is over, and all that was begun is answered."""
        with ThreadPoolExecutor(TRADERS) as traders:
            for each in [traders.submit(self._trade, over) for _ in range(TRADERS)]:
                each.result()

    def missed(self) -> str:
        """What the books say otherwise; the same is nothing."""
        found: Counter[str] = Counter()
        for each in Books(self.server, BUYER).entries(100_000):
            if each["kind"] not in ("usage", "expiry", "grant"):
                found[each["kind"]] += each["amount"] // MICRO
        return "" if found == self.done else f"told {dict(self.done)}, booked {dict(found)}"

    def _trade(self, over: Event) -> None:
        steps: list[Callable[[], None]] = [self._buy, self._redeem, self._move, self._lend]
        while not over.is_set():
            self._dice.choice(steps)()

    def _buy(self) -> None:
        order = self._ask(f"/wallets/{self._wallets[BUYER]}/orders", package=self._package)
        path = f"/orders/{order['number']}"
        self._ask(f"{path}/confirm", reference=order["number"])
        self.done["purchase"] += 100
        back = self._dice.randint(1, 40)
        self._ask(f"{path}/refunds", tokens=back, reason="x", reference=order["number"])
        self.done["refund"] -= back

    def _redeem(self) -> None:
        self._ask(f"/wallets/{self._wallets[BUYER]}/redeem", code=self._codes.pop())
        self.done["code"] += 7

    def _move(self) -> None:
        """There is always something: so much is left of every purchase."""
        if self.done["purchase"] + self.done["transfer"] * 3 < 300:
            return
        to = self._wallets[OTHER]
        self._ask(f"/wallets/{self._wallets[BUYER]}/transfers", to=to, amount=2, reason="x")
        self.done["transfer"] -= 2

    def _lend(self) -> None:
        """To one who chats: it pays for his model alone, and expires in the middle of it."""
        until = time.time() + self._dice.uniform(1, 4)
        self._ask(
            f"/wallets/{self._wallets[self._dice.choice(self._payers)]}/grants",
            amount=self._dice.randint(1, 60),
            reason="x",
            expires_at=_moment(until),
            models=[CHAT],
            late=True,
        )

    def _ask(self, path: str, *, late: bool = False, **body: object) -> Any:
        """Again and again; `late`: in vain once its time is over.

        What is done to a wallet has a key, and what is done to an order can be done twice.
        """
        data, number = json.dumps(body).encode(), next(self._numbers)
        key = {"Idempotency-Key": f"trade-{number}"} if path.startswith("/wallets") else {}
        self.operations += 1
        end = time.monotonic() + PATIENCE
        said = ""
        while time.monotonic() < end:
            api = Api(self.server.url, self.token, ADMIN)
            try:
                reply = api.send("POST", path, data, {**api.headers, **key})
            except LOST as error:
                said = repr(error)
            else:
                said = f"{reply.status} {reply.text}"
                if reply.status == 200 or (late and reply.status == 400):
                    return reply.json
                assert reply.status in (429, 500, 503), f"{path} {body}: {said}"
            time.sleep(0.1)
        raise TimeoutError(f"{path} {body}: {said}")

    def _wallet(self, who: str) -> int:
        return int(Api(self.server.url, self.token, ADMIN).get(f"/members/{who}").json["wallet"])


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
