"""A past by chance, through the books: grants that expire, prices that change, late settlements."""

from __future__ import annotations

import random
from zoneinfo import ZoneInfo

from tests.usage.small import CLASS, MEMBER, OTHER, PUPIL, SCHOOL
from xinghe.catalog.rate import Rate
from xinghe.ledger import expiry, holds, lots, spans
from xinghe.ledger.holds import Counts
from xinghe.ledger.windows import DAY, HOUR, MINUTE
from xinghe.storage import Connection

BEGIN = 20_000 * DAY
"""2024-10-04"""
BORDERS = {
    "UTC": 20_028 * DAY,
    "Asia/Shanghai": 20_028 * DAY - 8 * HOUR,
    "Asia/Kolkata": 20_028 * DAY - 5 * HOUR - 30 * MINUTE,
    "America/New_York": 20_028 * DAY + 4 * HOUR,
}
"""When November 2024 begins."""
ZONES = {name: ZoneInfo(name) for name in BORDERS}
DAYS = 70
PAYERS = ((MEMBER,), (PUPIL, CLASS), (CLASS,), (CLASS, SCHOOL))


class History:
    """What `write` does is decided by the seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.late: tuple[int, ...] = (0, 0, 0, 30 * HOUR)
        """How long before it was written something may have been settled."""
        self._rates = {model: self._rate() for model in ("m", "模型", "=1+1")}

    def write(self, connection: Connection) -> None:
        chance = self._chance
        # Some of it is in the coarser sums when it is read, and some is not.
        closed = BEGIN + chance.randrange(10, 40) * DAY
        connection.run("UPDATE usage_closed SET since = $1, upto = $1", closed)
        connection.run("UPDATE groups SET parent_id = 2 WHERE id = 1")
        for wallet in MEMBER, PUPIL, CLASS, SCHOOL:
            lots.credit(connection, wallet, 10_000_000, kind="grant", at=BEGIN)
        for number, at in enumerate(sorted(self._moments())):
            self._act(connection, number, at)
        if chance.random() < 0.7:
            while not spans.close(connection, BEGIN + chance.randrange(30, DAYS) * DAY):
                pass

    def _moments(self) -> list[int]:
        chance = self._chance
        often = [BEGIN + chance.randrange(DAYS * DAY) for _ in range(150)]
        near = [-1, 0, 1, -MINUTE, MINUTE, -20 * MINUTE, 40 * MINUTE]
        return often + [
            border + chance.choice(near) for border in BORDERS.values() for _ in "12345"
        ]

    def _act(self, connection: Connection, number: int, at: int) -> None:
        chance = self._chance
        kind = chance.random()
        if kind < 0.12:
            model = chance.choice(list(self._rates))
            self._rates[model] = self._rate()
        elif kind < 0.25:
            lots.credit(
                connection,
                chance.choice((MEMBER, CLASS, SCHOOL)),
                chance.randrange(1, 3_000),
                kind=chance.choice(("grant", "purchase", "gift")),
                at=at,
                expires_at=at + chance.randrange(1, 20 * DAY),
            )
        elif kind < 0.35:
            expiry.expire(connection, chance.choice((MEMBER, CLASS, SCHOOL)), at)
        else:
            self._ask(connection, number, at)

    def _ask(self, connection: Connection, number: int, at: int) -> None:
        chance = self._chance
        member = chance.choice((MEMBER, PUPIL, OTHER))
        wallets = (MEMBER,) if member == MEMBER else chance.choice(PAYERS[1:])
        model = chance.choice(list(self._rates))
        prompt = chance.randrange(1, 500)
        cached, searches = chance.choice((0, prompt // 2)), chance.choice((0, 0, 2))
        usage = Counts(prompt, chance.randrange(200), cached, 0, searches)
        rate = self._rates[model]
        cost = rate.cost(usage.prompt, usage.completion, usage.cached, usage.searches)
        hold = holds.Hold(
            id=f"hold-{number}",
            member_id=member,
            token_id=member + 10 * chance.randrange(2),
            wallets=wallets,
            budgets=(),
            request_id=f"as-{number}",
            model=model,
            # Now and then, less was held than it comes to.
            amount=cost * chance.choice((1, 1, 2)) // chance.choice((1, 1, 1, 2)),
            owner="x",
            stream=False,
            prompt_tokens=prompt,
            rate=rate,
            created_at=at,
        )
        if isinstance(holds.reserve(connection, hold), holds.Reserved):
            late = chance.choice(self.late)
            holds.capture(connection, hold.id, usage, at=at - late)

    def _rate(self) -> Rate:
        price = self._chance.randrange
        return Rate(price(1, 9), price(1, 9), price(1, 9), search=40)
