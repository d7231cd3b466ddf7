"""Pages of many wallets together: each entry once, in order, under any filter and any bound."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.usage.small import CLASS, MEMBER, NOON, OTHER, PUPIL, SCHOOL, STRANGER, Small
from xinghe.ledger.windows import DAY, HOUR
from xinghe.usage import payers
from xinghe.usage.scope import Scope

BOTH = Scope(wallets=(CLASS, SCHOOL, STRANGER))


@pytest.fixture
async def used(small: Small) -> Small:
    """A busy class, a quiet school, a rare model; some at the same moment; grants."""
    chance = random.Random(3)
    for _ in range(220):
        busy = chance.random() < 0.8
        member = chance.choice((PUPIL, OTHER))
        at = NOON + chance.randrange(0, 4 if busy else 40) * HOUR + chance.randrange(0, 3)
        model = "rare" if chance.random() < 0.05 else chance.choice("ab")
        small.used(at, member, wallet=CLASS if busy else SCHOOL, model=model)
    small.used(NOON, MEMBER)
    for days in range(5):
        small.booked(NOON + days * DAY // 3, 7, wallet=(CLASS, SCHOOL)[days % 2])
    small.booked(NOON + HOUR, -3, "expiry", CLASS)
    return small


@pytest.mark.parametrize("looked_at", [5000, 40])
async def test_each_is_there_once(
    used: Small, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payers, "LOOKED_AT", looked_at)
    every = [
        line for wallet in BOTH.wallets for line in await used.all(Scope(wallets=(wallet,)), 50)
    ]
    every.sort(key=lambda line: line.position, reverse=True)
    assert len(every) == 226
    narrow: list[dict[str, Any]] = [
        {},
        {"model": "rare"},
        {"model": "a"},
        {"model": "none"},
        {"kind": "grant"},
        {"kind": "expiry"},
        {"kind": "usage"},
        {"kind": "usage", "model": "b"},
        {"kind": "grant", "model": "b"},
    ]
    span: dict[str, Any] = {"since": NOON + HOUR + 1, "until": NOON + 9 * HOUR + 2}
    for filters in (*narrow, *(each | span for each in narrow)):
        expected = [
            line.id
            for line in every
            if filters.get("since", 0) <= line.at < filters.get("until", 2**62)
            and filters.get("model", line.model) == line.model
            and filters.get("kind", line.kind) == line.kind
        ]
        for limit in 1, 7, 100:
            found = [line.id for line in await used.all(BOTH, limit, **filters)]
            assert found == expected, (filters, limit)


async def test_a_page_is_full_where_there_is_enough(used: Small) -> None:
    narrow: list[dict[str, Any]] = [{}, {"model": "a"}, {"kind": "usage"}]
    for filters in narrow:
        page = await used.page(BOTH, limit=50, **filters)
        assert len(page.rows) == 50
        assert page.next is not None
