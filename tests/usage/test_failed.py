"""Requests that failed by page and filter: each that matches exactly once, the newest first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.usage.small import CLASS, ME, MEMBER, NOON, OTHER, PUPIL, STRANGER, THEM, Small
from xinghe.ledger.windows import DAY, HOUR, MINUTE
from xinghe.usage import failed
from xinghe.usage.failures import Failed, Failures
from xinghe.usage.pages import Position
from xinghe.usage.scope import Scope

PUPILS = Scope(member=PUPIL)


async def note(small: Small, *rows: Failed) -> None:
    gathered = Failures(small.database)
    for row in rows:
        gathered.note(row)
    await gathered.flush()


def of(
    name: str, at: int, member: int = MEMBER, *, wallet: int = 0, token: int = 0, model: str = "m"
) -> Failed:
    return Failed(wallet or member, member, token or member, name, at, "chat", model, 429, "rpm", 3)


async def all_of(small: Small, scope: Scope, limit: int = 50, **filters: Any) -> list[str]:
    """Page by page."""
    found: list[str] = []
    after: Position | None = None
    while True:
        asked = failed.Filters(**filters)
        page = await small.read(failed.page, scope, asked, after=after, limit=limit)
        assert len(page.rows) <= limit
        found += [row.request_id for row in page.rows]
        if page.next is None:
            return found
        assert after is None or page.next < after
        after = page.next


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_are_by_time_and_have_each_once(small: Small, limit: int) -> None:
    # Two at the same moment, and one that was written late.
    times = (NOON, NOON + MINUTE, NOON + MINUTE, NOON + 3 * HOUR, NOON - 2 * DAY)
    await note(small, *(of(f"as-{number}", at) for number, at in enumerate(times)))
    await note(small, of("as-other", NOON, STRANGER))
    assert await all_of(small, ME, limit) == ["as-3", "as-2", "as-1", "as-0", "as-4"]


@pytest.mark.parametrize("limit", [1, 50])
async def test_they_are_for_whose_they_are_and_whose_wallet_it_is(small: Small, limit: int) -> None:
    await note(
        small,
        of("as-own", NOON, PUPIL),
        of("as-paid", NOON + HOUR, PUPIL, wallet=CLASS),
        of("as-other", NOON + 2 * HOUR, OTHER, wallet=CLASS),
    )
    assert await all_of(small, PUPILS, limit) == ["as-paid", "as-own"]
    assert await all_of(small, THEM, limit) == ["as-other", "as-paid"]
    assert await all_of(small, THEM, limit, member=PUPIL) == ["as-paid"]
    assert await all_of(small, PUPILS, limit, member=OTHER) == []
    assert await all_of(small, Scope(wallets=(MEMBER, CLASS, PUPIL)), limit) == [
        "as-other", "as-paid", "as-own",
    ]  # fmt: skip


async def test_filters(small: Small) -> None:
    await note(
        small,
        of("as-1", NOON, model="a"),
        of("as-2", NOON + DAY, model="b"),
        of("as-3", NOON + 2 * DAY, model="b", token=MEMBER + 10),
    )
    assert await all_of(small, ME, model="b") == ["as-3", "as-2"]
    assert await all_of(small, ME, token=MEMBER, member=MEMBER) == ["as-2", "as-1"]
    assert await all_of(small, ME, token=MEMBER, model="b") == ["as-2"]
    assert await all_of(small, ME, model="none") == []
    assert await all_of(small, ME, since=NOON + DAY, until=NOON + 2 * DAY) == ["as-2"]


async def test_where_a_filter_matches_little_a_page_says_where_to_go_on(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed, "LOOKED_AT", 3)
    monkeypatch.setattr(failed, "OF_MANY", 3)
    await note(small, *(of(f"as-{n}", NOON + n, model="b" if n % 5 else "a") for n in range(20)))
    page = await small.read(failed.page, ME, failed.Filters(model="a"), after=None, limit=2)
    assert (page.rows, page.next is None) == ([], False)
    assert await all_of(small, ME, 2, model="a") == ["as-15", "as-10", "as-5", "as-0"]
