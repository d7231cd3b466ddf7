"""Whatever has happened, a bill adds up: to the micro-Token, in any zone, on either database."""

from __future__ import annotations

import datetime
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.usage.bill.history import BORDERS, ZONES, History
from tests.usage.small import CLASS, MEMBER, PUPIL, SCHOOL, Small
from xinghe.accounts import Principal
from xinghe.api.account.bill import making
from xinghe.api.account.bill.making import Bills, asked
from xinghe.api.account.bill.schema import BillRow, BillShown
from xinghe.api.account.questions import BillQuery
from xinghe.core import MICRO
from xinghe.settings import Bill
from xinghe.storage import now
from xinghe.usage.bill import charges

OPERATOR = Principal(
    0, "", "", 0, "", scopes=frozenset({"admin"}), models=frozenset(), operator=True
)
WALLETS = {"m1": (MEMBER,), "m2": (PUPIL,), "class": (CLASS,), "school": (SCHOOL, CLASS)}
MONTHS = ("2024-09", "2024-10", "2024-11", "2024-12", "2025-01")
COLUMNS = (
    "wallet_id", "member_id", "at", "kind", "amount", "model", "token_id", "prompt_tokens",
    "completion_tokens", "cached_tokens", "searches", "input_rate", "output_rate", "cached_rate",
    "search_rate",
)  # fmt: skip


def query(who: str, month: str, zone: str) -> BillQuery:
    group = who in ("class", "school")
    return BillQuery(
        month=month, zone=zone, group=who if group else None, member=None if group else who
    )


async def whole(bills: Bills, asking: BillQuery, limit: int = 1000) -> BillShown:
    at = now()
    subject = await bills.subject(OPERATOR, asking)
    with closing(await bills.read(subject, asked(asking, at), at)) as ready:
        return await bills.whole(ready, limit)


async def rows(bills: Bills, asking: BillQuery) -> list[BillRow]:
    at = now()
    subject = await bills.subject(OPERATOR, asking)
    with closing(await bills.read(subject, asked(asking, at), at)) as ready:
        return [row async for some in bills.rows(ready) for row in some]


async def entries(small: Small, wallets: tuple[int, ...]) -> list[dict[str, Any]]:
    found = await small.read(lambda c: c.rows(f"SELECT {', '.join(COLUMNS)} FROM entries"))
    every = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    return [each for each in every if each["wallet_id"] in wallets]


def begins(month: str, zone: str) -> int:
    first = datetime.datetime(int(month[:4]), int(month[5:]), 1, tzinfo=ZONES[zone])
    return int(first.timestamp()) * MICRO


def micro(amount: Decimal) -> int:
    return int(amount * MICRO)


@pytest.fixture(params=range(3))
async def lived(small: Small, request: pytest.FixtureRequest) -> Small:
    await small.database.write(History(request.param).write)
    return small


async def test_it_is_what_the_entries_say(lived: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charges, "PAGE", 7)
    bills = Bills(lived.database, Bill())
    billed = 0
    for who, wallets in WALLETS.items():
        every = await entries(lived, wallets)
        for zone in BORDERS:
            closing = 0
            for month, following in pairwise(MONTHS):
                since, until = begins(month, zone), begins(following, zone)
                bill = await whole(bills, query(who, month, zone))
                within = [each for each in every if since <= each["at"] < until]
                assert micro(bill.opening) == closing, (who, month, zone)
                assert closing == sum(each["amount"] for each in every if each["at"] < since)
                closing += sum(each["amount"] for each in within)
                assert micro(bill.closing) == closing
                assert bill.closing == (
                    bill.opening + bill.credited - bill.debited - bill.used.spent
                )
                assert lines_of(bill) == expected(within)
                assert {each.kind: micro(each.amount) for each in bill.booked} == booked(within)
                billed += len(bill.lines)
    assert billed > 100


def lines_of(bill: BillShown) -> dict[tuple[Any, ...], tuple[int, ...]]:
    found: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for each in bill.lines:
        rates = (each.input_rate, each.output_rate, each.cached_rate, each.search_rate)
        key = (each.group, each.member, each.token, each.model, *map(micro, filter(None, rates)))
        assert key not in found
        found[key] = (
            each.requests, each.prompt_tokens, each.completion_tokens, each.cached_tokens,
            each.searches, micro(each.spent),
        )  # fmt: skip
        due = (
            (each.prompt_tokens - each.cached_tokens) * (each.input_rate or 0)
            + each.cached_tokens * (each.cached_rate or 0)
            + each.completion_tokens * (each.output_rate or 0)
            + each.searches * (each.search_rate or 0)
        )
        assert each.spent == due - each.not_charged
        assert each.not_charged >= 0
    return found


def expected(within: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    groups = {CLASS: "class", SCHOOL: "school"}
    found: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * 6)
    for each in within:
        if each["kind"] == "usage":
            key = (
                groups.get(each["wallet_id"]), f"app-{each['member_id']}",
                f"public{each['token_id']:04}", each["model"], each["input_rate"],
                each["output_rate"], each["cached_rate"], each["search_rate"],
            )  # fmt: skip
            counts = (
                1, each["prompt_tokens"], each["completion_tokens"], each["cached_tokens"],
                each["searches"], -each["amount"],
            )  # fmt: skip
            found[key] = [a + b for a, b in zip(found[key], counts, strict=True)]
    return {key: tuple(sums) for key, sums in found.items()}


def booked(within: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for each in within:
        if each["kind"] != "usage":
            found[each["kind"]] += each["amount"]
    return found


@pytest.mark.parametrize("lived", [1], indirect=True)
async def test_what_is_cut_off_is_told_as_a_sum(lived: Small) -> None:
    bills = Bills(lived.database, Bill())
    asking = query("school", "2024-10", "UTC")
    all_of_it, cut = await whole(bills, asking), await whole(bills, asking, limit=1)
    assert len(all_of_it.lines) > 5
    assert all_of_it.other_lines is all_of_it.other_members is None
    assert (cut.lines, cut.members) == (all_of_it.lines[:1], all_of_it.members[:1])
    assert cut.other_lines is not None
    assert cut.other_members is not None
    for name in "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "spent":
        total = getattr(all_of_it.used, name)
        assert getattr(cut.used, name) == total
        assert getattr(cut.other_lines, name) + getattr(cut.lines[0], name) == total
        assert getattr(cut.other_members, name) + getattr(cut.members[0], name) == total
        assert sum(getattr(each, name) for each in all_of_it.members) == total


@pytest.mark.parametrize("lived", [2], indirect=True)
async def test_every_row_however_few_are_told_at_once(
    lived: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills = Bills(lived.database, Bill())
    asking = query("school", "2024-10", "Asia/Shanghai")
    bill = await whole(bills, asking)
    for most in 1, 3, 1000:
        monkeypatch.setattr(making, "ROWS", most)
        opening, *lines, closing = await rows(bills, asking)
        assert (opening.row, closing.row) == ("opening", "closing")
        assert closing.amount == opening.amount + sum(row.amount for row in lines) == bill.closing
        usage = [row for row in lines if row.row == "usage"]
        assert [
            (row.wallet, row.model, row.token, row.input_rate, row.amount) for row in usage
        ] == [
            (line.group, line.model, line.token, line.input_rate, -line.spent)
            for line in bill.lines
        ]


async def test_the_next_month_opens_with_what_the_ledger_says(small: Small) -> None:
    """Where nothing is late, that is what stands beside the last entry."""
    history = History(7)
    history.late = (0,)
    await small.database.write(history.write)
    bills = Bills(small.database, Bill())
    for who in "m1", "class":
        for zone in BORDERS:
            bill = await whole(bills, query(who, "2024-11", zone))
            for at, told in (
                (begins("2024-11", zone), bill.opening), (begins("2024-12", zone), bill.closing)
            ):  # fmt: skip
                after = await small.read(
                    lambda c, at=at, who=who: c.value(
                        "SELECT balance_after FROM entries WHERE wallet_id = $1 AND at < $2 "
                        "ORDER BY id DESC LIMIT 1",
                        WALLETS[who][0],
                        at,
                    )
                )
                assert micro(told) == after
