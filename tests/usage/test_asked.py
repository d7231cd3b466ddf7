"""Whoever asks gets what is his to see, and is told why not otherwise: on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.usage.small import CLASS, MEMBER, NOON, OTHER, PUPIL, STRANGER, Small
from xinghe.accounts import Principal, Standing
from xinghe.api.account.details import Details
from xinghe.api.account.questions import AccountQuery, EntriesQuery, RequestQuery, UsageQuery
from xinghe.api.errors import ApiError
from xinghe.api.query import Query
from xinghe.usage.scope import Scope

GROUP = 1
"""The number of the class, whose name is `class`."""


def who(
    member: int, roles: Mapping[int, str] = {}, *, operator: bool = False, scopes: str = "admin"
) -> Principal:
    paying = (CLASS,) if member in (PUPIL, OTHER) else (member,)
    return Principal(
        member,
        f"app-{member}",
        f"m{member}",
        member,
        "t",
        scopes=frozenset({scopes}),
        models=None,
        operator=operator,
        standing=Standing(wallets=paying, roles=dict(roles)),
    )


TEACHER = who(MEMBER, {GROUP: "manager"})
PUPILS = who(PUPIL, {GROUP: "member"})


@pytest.fixture
async def details(small: Small) -> Details:
    await small.database.write(
        lambda c: c.run_many(
            "INSERT INTO payment_order (member_id, position, wallet_id) VALUES ($1, 0, $2)",
            [(PUPIL, CLASS), (OTHER, CLASS)],
        )
    )
    small.used(NOON, PUPIL, wallet=CLASS)
    small.used(NOON + 1, OTHER, wallet=CLASS, model="b")
    small.used(NOON + 2, STRANGER)
    small.booked(NOON - 5, 500, wallet=CLASS)
    await small.page(Scope(member=MEMBER))
    return Details(small.database)


async def entries(details: Details, principal: Principal, **asked: str) -> list[Any]:
    page, after = details.entries(principal, Query(EntriesQuery).take(asked))
    return [
        (each.member_name, each.group, each.balance_after) for each in (await page(after, 50)).data
    ]


async def test_entries(details: Details) -> None:
    manager, member = (("m3", "class", 0), ("m2", "class", 0)), (("m2", "class", None),)
    assert await entries(details, TEACHER, group="class", kind="usage") == list(manager)
    assert await entries(details, TEACHER, group="class", member="app-2") == [("m2", "class", 0)]
    assert await entries(details, TEACHER, group="class", token="public0003") == [manager[0]]
    assert await entries(details, TEACHER) == []
    assert await entries(details, PUPILS) == list(member)
    assert await entries(details, PUPILS, member="m2", model="m", token="public0002") == list(
        member
    )
    operator = who(MEMBER, operator=True)
    assert await entries(details, operator, member="m4") == [("m4", None, 0)]
    assert len(await entries(details, operator, group="class")) == 3


@pytest.mark.parametrize(
    ("principal", "asked", "status"),
    [
        (PUPILS, {"group": "class"}, 401),
        (PUPILS, {"group": "none"}, 401),
        (PUPILS, {"member": "m3"}, 401),
        (PUPILS, {"member": "nobody"}, 401),
        (PUPILS, {"token": "public0003"}, 400),
        (PUPILS, {"token": "nobodys000"}, 400),
        (TEACHER, {"member": "m2"}, 401),
        (TEACHER, {"group": "class", "member": "nobody"}, 400),
        (TEACHER, {"group": "class", "member": "m2", "token": "public0003"}, 400),
        (who(MEMBER, operator=True, scopes="account.read"), {"group": "class"}, 401),
        (who(MEMBER, scopes="admin"), {"group": "class"}, 401),
        (who(MEMBER, operator=True), {"member": "nobody"}, 401),
    ],
)
async def test_what_is_not_his_to_see(
    details: Details, principal: Principal, asked: dict[str, str], status: int
) -> None:
    with pytest.raises(ApiError) as raised:
        await entries(details, principal, **asked)
    assert raised.value.row.status == status


async def test_usage_with_names(details: Details) -> None:
    asked = {"from": "2024-10-01", "to": "2024-10-31", "interval": "month", "zone": "Asia/Shanghai"}
    query = Query(UsageQuery).take({**asked, "group": "class", "by": "group,member,token,model"})
    page, start = await details.usage(TEACHER, query)
    found = (await page(start, 1)).data + (await page(start, 100)).data
    told = [(each.group, each.member, each.token, each.model, each.requests) for each in found]
    assert told[1:] == [
        ("class", "app-2", "public0002", "m", 1),
        ("class", "app-3", "public0003", "b", 1),
    ]
    assert told[0] == told[1]
    assert found[0].since == "2024-10-01T00:00:00.000+08:00"


async def test_an_account_and_a_request(details: Details) -> None:
    shown = await details.account(PUPILS, AccountQuery())
    assert [each.group for each in shown.wallets] == ["class"]
    shown = await details.account(TEACHER, AccountQuery(group="class"))
    assert (shown.appid, shown.name, shown.lots) == (None, "class", [])
    shown = await details.account(who(MEMBER, operator=True), AccountQuery(member="m2"))
    assert (shown.name, [each.group for each in shown.wallets]) == ("m2", ["class"])
    request = await details.request(PUPILS, RequestQuery(), "as-1")
    assert (request.outcome, request.group, str(request.cost)) == ("charged", "class", "0.00001")
    for stranger in TEACHER, who(STRANGER):
        with pytest.raises(ApiError, match="there is no request"):
            await details.request(stranger, RequestQuery(), "as-1")
    with pytest.raises(ApiError, match="there is no request"):
        await details.request(PUPILS, RequestQuery(), "as-1\0" + "x" * 99)
