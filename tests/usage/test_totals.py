"""The totals of a filter are those of its pages, wherever an hour is cut."""

from __future__ import annotations

from typing import Any

import pytest

from tests.usage.small import CLASS, ME, MEMBER, NOON, OTHER, PUPIL, SCHOOL, THEM, Small
from xinghe.ledger.windows import DAY, HOUR
from xinghe.usage import series, totals
from xinghe.usage.lines import Filters
from xinghe.usage.scope import Scope


async def told(small: Small, scope: Scope, **filters: Any) -> totals.Totals | None:
    return await small.read(totals.totals, scope, Filters(**filters))


@pytest.fixture
async def filled(small: Small) -> Small:
    for quarter in range(24):
        at = NOON + quarter * HOUR // 4 + 3
        small.used(
            at, model="ab"[quarter % 2], cost=quarter, token=MEMBER + 10 * (quarter % 3 == 0)
        )
        small.used(at, PUPIL if quarter % 2 else OTHER, wallet=CLASS)
        small.used(at + 1, OTHER, wallet=SCHOOL, model="ab"[quarter % 2])
    small.booked(NOON + 1, 500)
    small.booked(NOON + 2 * HOUR, -70, "expiry")
    for number, kind in enumerate(("purchase", "code", "transfer"), 1):
        small.booked(NOON + 3 * HOUR + number, 1000 * number, kind)
    for number, kind in enumerate(("refund", "transfer"), 1):
        small.booked(NOON + 4 * HOUR + number, -30 * number, kind)
    return small


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"since": NOON, "until": NOON + DAY},
        {"since": NOON + 3, "until": NOON + 5 * HOUR + HOUR // 2},
        {"since": NOON + HOUR // 4, "until": NOON + HOUR // 2},
        {"since": NOON + HOUR // 2, "until": NOON + HOUR + 5},
        {"since": NOON + HOUR, "until": NOON + 2 * HOUR},
        {"until": NOON},
        {"model": "a"},
        {"model": "a", "since": NOON + HOUR // 3, "until": NOON + 3 * HOUR + HOUR // 3},
        {"member": MEMBER, "token": MEMBER + 10, "since": NOON + HOUR // 3},
        {"kind": "usage"},
        {"kind": "grant"},
        {"kind": "expiry", "since": NOON + HOUR},
        {"kind": "grant", "since": NOON + HOUR},
        {"kind": "purchase"},
        {"kind": "transfer"},
        {"kind": "refund", "since": NOON + 4 * HOUR},
    ],
)
async def test_they_are_the_sums_of_the_pages(filled: Small, filters: dict[str, Any]) -> None:
    for scope in ME, THEM, Scope(wallets=(CLASS, SCHOOL)):
        whole = await told(filled, scope, **filters)
        assert whole is not None
        lines = totals.of_lines(await filled.all(scope, 50, **filters))
        assert whole.booked == lines.booked
        assert whole.used.requests == lines.used.requests
        assert whole.used.spend == lines.used.spend
        assert whole.used.prompt_tokens == lines.used.prompt_tokens


async def test_each_kind_has_its_own(filled: Small) -> None:
    whole = await told(filled, ME)
    assert whole is not None
    assert whole.booked == totals.Booked(
        granted=500, purchased=1000, redeemed=2000, received=3000, sent=60, refunded=30, expired=70
    )


async def test_too_much_is_not_summed(filled: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "LOOKED_AT", 1)
    assert await told(filled, ME, since=NOON + 1, until=NOON + HOUR) is None
    monkeypatch.setattr(totals, "MOST", 1)
    monkeypatch.setattr(series, "ROWS", 1)
    monkeypatch.setattr(series, "SECONDS", 0)
    assert await told(filled, ME) is None
