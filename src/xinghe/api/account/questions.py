"""What the usage details are asked with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts.rules import PUBLIC_ID
from xinghe.api.account.forms import Format
from xinghe.api.query import Time, Zone
from xinghe.usage.series import Interval

Group = Annotated[
    str, Meta(min_length=1, max_length=64, description="Of which one is owner or manager.")
]
Member = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="Name or appid: of one of the group, else for operators.",
    ),
]
Limit = Annotated[int, Meta(ge=1, le=1000, description="The most that a page holds.")]
After = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=600,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next` of the page before.",
    ),
]


class Scoped(msgspec.Struct, kw_only=True):
    """What all are asked with: about whom, where the times are, in which form."""

    group: Group | None = None
    member: Member | None = None
    zone: Zone = "UTC"
    format: Format | None = None


class AccountQuery(Scoped, kw_only=True):
    pass


class RequestQuery(Scoped, kw_only=True):
    pass


TOKEN = {"allowed": "a token's public id, 10 letters and digits: the part between its dashes"}


class Filtered(Scoped, kw_only=True):
    since: Time | None = msgspec.field(default=None, name="from")
    until: Time | None = msgspec.field(default=None, name="to")
    model: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    token: (
        Annotated[str, Meta(pattern=PUBLIC_ID, description="Its public id.", extra=TOKEN)] | None
    ) = None
    after: After | None = None


Kind = Literal["usage", "grant", "purchase", "code", "transfer", "refund", "expiry"]
"""Of an entry."""


class EntriesQuery(Filtered, kw_only=True):
    kind: Kind | None = None
    request_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    limit: Limit | None = None


class FailedQuery(Filtered, kw_only=True):
    limit: Limit | None = None


BY = "model, token, member, group, or several of them with commas between"


class UsageQuery(Filtered, kw_only=True):
    interval: Interval = "day"
    by: (
        Annotated[
            str,
            Meta(
                pattern="^(model|token|member|group)(,(model|token|member|group)){0,3}$",
                description="What the sums are told apart by: model, token, member, group.",
                extra={"allowed": BY},
            ),
        ]
        | None
    ) = None
    limit: Limit | None = None


class BillQuery(Scoped, kw_only=True):
    month: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{4}-(0[1-9]|1[0-2])$",
                description="A month such as 2026-11; by default the running one, up to now.",
                extra={"allowed": "a month such as 2026-11"},
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="The most lines, and members.")] = 1000


class BillingQuery(msgspec.Struct, kw_only=True):
    """Days of UTC; `end_date` is the day behind the last."""

    start_date: Time | None = None
    end_date: Time | None = None
