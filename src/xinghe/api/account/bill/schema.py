"""The forms of a bill: as a whole, and row by row for a spreadsheet."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinghe.api.account.schema import Moment, Tokens


class BillSums(msgspec.Struct, kw_only=True):
    """What was used; `spent` is positive."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    searches: int
    spent: Tokens


class BillBooked(msgspec.Struct):
    """Entries of a kind that are no use: credits are positive, debits negative."""

    kind: str
    entries: int
    amount: Tokens


class BillMember(BillSums, kw_only=True):
    member: str | None
    member_name: str | None


class BillLine(BillSums, kw_only=True):
    """What a member used of a model with a token at one price; rates are Tokens a token, a search.

    `spent` is counts times rates, but for what is `not_charged`: never more than was held.
    """

    group: str | None
    member: str | None
    member_name: str | None
    token: str | None
    token_name: str | None
    model: str | None
    first_at: Moment
    last_at: Moment
    input_rate: Tokens | None
    cached_rate: Tokens | None
    output_rate: Tokens | None
    search_rate: Tokens | None
    not_charged: Tokens


class BillShown(msgspec.Struct, kw_only=True):
    """Of a member's own wallet (`group` is null), or of a group's and those of its groups.

    `closing` is `opening` and what was `credited`, less what was `debited` and `used.spent`. A
    month that is `running` is told up to now. Where there are more members, or lines, than were
    asked for, the first are told, and the sums of the rest as `other_members`, `other_lines`.
    """

    object: Literal["bill"] = "bill"
    month: str
    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    zone: str
    running: bool
    made_at: Moment
    unit: Literal["Token"] = "Token"
    issuer: str
    note: str
    appid: str | None
    name: str | None
    group: str | None
    opening: Tokens
    booked: list[BillBooked]
    credited: Tokens
    debited: Tokens
    used: BillSums
    closing: Tokens
    members: list[BillMember]
    other_members: BillSums | None
    lines: list[BillLine]
    other_lines: BillSums | None


class BillRow(msgspec.Struct, kw_only=True):
    """One row: the `opening` balance, what was `booked` by kind, a line of `usage`, the `closing`
    balance. The closing amount is the sum of all before it.

    `wallet` is the group's name, or the member's appid; `entries` counts those that a row sums.
    """

    month: str
    wallet: str
    row: Literal["opening", "booked", "usage", "closing"]
    kind: str | None = None
    member: str | None = None
    member_name: str | None = None
    token: str | None = None
    token_name: str | None = None
    model: str | None = None
    first_at: Moment | None = None
    last_at: Moment | None = None
    entries: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    searches: int | None = None
    input_rate: Tokens | None = None
    cached_rate: Tokens | None = None
    output_rate: Tokens | None = None
    search_rate: Tokens | None = None
    not_charged: Tokens | None = None
    amount: Tokens
