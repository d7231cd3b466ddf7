"""What a bill says, in the forms of `schema`: Tokens for micro-Tokens, names for ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from xinghe.api.account.asked import names
from xinghe.api.account.bill.schema import (
    BillBooked,
    BillLine,
    BillMember,
    BillRow,
    BillSums,
)
from xinghe.api.account.shown import told
from xinghe.core import tokens
from xinghe.storage import Connection
from xinghe.usage.bill.booked import Booked
from xinghe.usage.bill.lines import Charge, Sums
from xinghe.usage.series import Dimension

Called: TypeAlias = Mapping[Dimension, Mapping[int, tuple[str, ...]]]
_NOBODY: tuple[None, None] = (None, None)


def called(connection: Connection, lines: Iterable[Charge], members: Iterable[int] = ()) -> Called:
    """How all that lines name is called."""
    places = [line.place for line in lines]
    return {
        "member": names(connection, "member", [*members, *(each.member_id for each in places)]),
        "token": names(connection, "token", [each.token_id for each in places]),
        "group": names(connection, "group", [each.wallet_id for each in places]),
    }


def sums(used: Sums) -> BillSums:
    return BillSums(**_counts(used))


def booked(each: Booked) -> BillBooked:
    return BillBooked(each.kind, each.entries, tokens(each.amount))


def member(number: int, used: Sums, names: Called) -> BillMember:
    appid, name = names["member"].get(number, _NOBODY)
    return BillMember(member=appid, member_name=name, **_counts(used))


def line(charge: Charge, zone: ZoneInfo, names: Called) -> BillLine:
    return BillLine(
        group=names["group"].get(charge.place.wallet_id, _NOBODY)[0],
        **_placed(charge, zone, names),
        **_counts(charge.sums),
    )


def row(charge: Charge, zone: ZoneInfo, names: Called, month: str, owner: str) -> BillRow:
    """The same for a spreadsheet; `owner` is whose wallet it is, where that is not a group's."""
    counts = _counts(charge.sums)
    return BillRow(
        month=month,
        wallet=names["group"].get(charge.place.wallet_id, (owner,))[0],
        row="usage",
        kind="usage",
        entries=counts.pop("requests"),
        amount=-counts.pop("spent"),
        **_placed(charge, zone, names),
        **counts,
    )


def _placed(charge: Charge, zone: ZoneInfo, names: Called) -> dict[str, Any]:
    place, prices = charge.place, charge.prices
    appid, member_name = names["member"].get(place.member_id, _NOBODY)
    token, token_name = names["token"].get(place.token_id, _NOBODY)
    rates = {
        f"{name}_rate": None if price < 0 else tokens(price)
        for name, price in prices._asdict().items()
    }
    return {
        "member": appid,
        "member_name": member_name,
        "token": token,
        "token_name": token_name,
        "model": place.model or None,
        "first_at": told(charge.first_at, zone),
        "last_at": told(charge.last_at, zone),
        "not_charged": tokens(charge.not_charged),
    } | rates


def _counts(used: Sums) -> dict[str, Any]:
    return {
        "requests": used.requests,
        "prompt_tokens": used.prompt_tokens,
        "cached_tokens": used.cached_tokens,
        "completion_tokens": used.completion_tokens,
        "searches": used.searches,
        "spent": tokens(used.spend),
    }
