"""Who has spent what of a group's Tokens in a time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import group_tables
from xinghe.admin.operation import Call
from xinghe.admin.people import wallets_of
from xinghe.admin.shapes import Tokens, Told, told
from xinghe.api.account.asked import names
from xinghe.api.errors import refuse
from xinghe.api.query import Time, Zone, moment, zone_of
from xinghe.core import tokens as as_tokens
from xinghe.ledger import Window
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, now
from xinghe.usage.spent import Spent, spent

MOST = 1000
"""Members in one answer."""


class SpendingSums(msgspec.Struct, kw_only=True):
    """What was paid for. `requests` are all; `failed`, those of them that were not charged."""

    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    spent: Tokens


class SpendingLine(SpendingSums, kw_only=True):
    """Of one member."""

    member: str
    name: str


class SpendingView(msgspec.Struct, kw_only=True):
    """What the group's wallets (of an organisation, also those of its groups) have paid, from
    `since` on, before `until`; an hour counts for the time in which it begins.

    `people` have asked anything, those among them who have left the group, too; `data` has those
    who have spent the most, and `total` is of all.
    """

    object: Literal["spending"] = "spending"
    since: Told
    until: Told
    people: int
    total: SpendingSums
    data: list[SpendingLine]


class SpendingQuery(msgspec.Struct, kw_only=True):
    """From the beginning of the running month until now, where nothing else is said."""

    since: Time | None = None
    until: Time | None = None
    zone: Zone = "UTC"
    limit: Annotated[int, Meta(ge=1, le=MOST, description="The most members that are told.")] = MOST


async def get(call: Call[SpendingQuery]) -> SpendingView:
    given = call.given
    since, until = _period(given)

    def operation(connection: Connection) -> SpendingView:
        group = group_tables.group(connection, call.target.id)
        found = spent(connection, wallets_of(connection, group), since, until)
        order = sorted(found, key=lambda member: (-found[member].spend, member))[: given.limit]
        called = names(connection, "member", order)
        lines = [
            SpendingLine(member=called[each][0], name=called[each][1], **_told(found[each]))
            for each in order
        ]
        rows = [msgspec.structs.astuple(each) for each in found.values()]
        total = Spent(*(sum(column) for column in zip(*rows, strict=True)))
        return SpendingView(
            since=told(since),
            until=told(until),
            people=len(found),
            total=SpendingSums(**_told(total)),
            data=lines,
        )

    return await call.services.database.read(operation)


def _period(given: SpendingQuery) -> tuple[int, int]:
    """From one hour on, before another. Raises `ApiError`."""
    zone, at = zone_of(given.zone), now()
    since, until = Window("month", zone=given.zone).part(at), at
    if given.since is not None:
        since = moment("since", given.since, zone)
    if given.until is not None:
        until = moment("until", given.until, zone, end=True)
        if until <= since:
            raise refuse("until", given.until, "a time such that since is before until")
    elif until <= since:
        raise refuse("since", given.since, "a time such that since is before until")
    until = -(-min(until, at) // HOUR) * HOUR
    return min(since // HOUR * HOUR, until), until


def _told(found: Spent) -> dict[str, Any]:
    sums = msgspec.structs.asdict(found)
    spend = sums.pop("spend")
    return {**sums, "requests": found.requests + found.failed, "spent": as_tokens(spend)}
