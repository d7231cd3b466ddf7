"""The forms of what the usage details answer; what they are asked with stands in `questions`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Tokens = Annotated[Decimal, Meta(description="Tokens.")]
ZERO = Decimal(0)
Moment: TypeAlias = str
"""ISO 8601, in the zone that was asked for."""


class Wallet(msgspec.Struct):
    """`group` is null of one's own."""

    group: str | None
    available: Tokens
    held: Tokens
    balance: Tokens


class Lot(msgspec.Struct):
    """What is left of a grant. What is bound to `models` pays for these alone, and before the rest;
    what expires first is spent first.
    """

    kind: str
    amount: Tokens
    remaining: Tokens
    expires_at: Moment | None
    created_at: Moment
    models: tuple[str, ...] | None
    note: str


class BudgetShown(msgspec.Struct):
    """A limit on what is asked for. `amount`, `used` and `left` are Tokens, or numbers of requests,
    by the `unit`.

    What is counted by the minute (`rpm`, `tpm`) or at once (`concurrent`) has no window: `left` is
    what could be had now of the service that is asked. A rolling window has no end.
    """

    whose: str
    unit: str
    model: str | None
    amount: Tokens
    used: Tokens | None = None
    left: Tokens | None = None
    per: str | None = None
    rolling: bool = False
    zone: str | None = None
    ends_at: Moment | None = None


class Stopped(msgspec.Struct):
    """What lets no request through now: a budget that is used up (`whose`; of one `model` or of
    all) until it begins anew, or wallets without Tokens.
    """

    reason: Literal["budget", "wallet"]
    whose: str | None = None
    model: str | None = None
    until: Moment | None = None


class AccountShown(msgspec.Struct):
    """Of a member; of a group (without appid). Wallets stand in the order in which they pay.

    A request is held in one wallet, the first that covers it. `ask` are names of some who manage
    the member's groups: who is `stopped` may ask them, or else the operator.
    """

    object: Literal["account"]
    appid: str | None
    name: str | None
    available: Tokens
    held: Tokens
    balance: Tokens
    wallets: list[Wallet]
    lots: list[Lot]
    budgets: list[BudgetShown]
    stopped: list[Stopped]
    ask: list[str]


class AccountLine(msgspec.Struct):
    """The same line by line: wallets, lots and budgets."""

    object: Literal["wallet", "lot", "budget"]
    name: str | None
    unit: str
    amount: Tokens
    left: Tokens | None
    until: Moment | None = None
    note: str = ""


class EntryShown(msgspec.Struct):
    """An entry of the books. Rates are Tokens a token, a search; times milliseconds.

    What a group's wallet had after it is for the group's owners and managers.
    """

    id: int
    at: Moment
    kind: str
    amount: Tokens
    balance_after: Tokens | None
    group: str | None
    member: str | None
    member_name: str | None
    token: str | None
    token_name: str | None
    request_id: str | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    search_tokens: int
    searches: int
    input_rate: Tokens | None
    output_rate: Tokens | None
    cached_rate: Tokens | None
    search_rate: Tokens | None
    wait_ms: int | None
    first_ms: int | None
    total_ms: int | None
    finish: str | None
    note: str


class Totals(msgspec.Struct):
    """Of all that the filters match, on whatever page; all are positive.

    `purchased` are packages, `redeemed` are codes, `received` and `sent` are transfers.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    searches: int
    spent: Tokens
    granted: Tokens
    purchased: Tokens
    redeemed: Tokens
    received: Tokens
    sent: Tokens
    refunded: Tokens
    expired: Tokens


class EntryList(msgspec.Struct):
    """`totals` is null on the pages behind the first, and where there is too much to be summed."""

    object: Literal["list"]
    data: list[EntryShown]
    has_more: bool
    next: str | None
    totals: Totals | None


class FailedShown(msgspec.Struct):
    """A request that failed and cost nothing. `outcome` is its error's code, `group` the one whose
    wallet would have paid first.
    """

    id: str
    at: Moment
    outcome: str
    status: int
    operation: str
    model: str | None
    group: str | None
    member: str
    member_name: str | None
    token: str
    token_name: str
    total_ms: int


class FailedList(msgspec.Struct):
    """Of the last seven days, the newest first."""

    object: Literal["list"]
    data: list[FailedShown]
    has_more: bool
    next: str | None


class UsageShown(msgspec.Struct):
    """What was used from a moment on, before another; null where it is not told apart by that.

    `requests` are all that were answered, with those that failed, by code, in `errors`.
    `first_token_ms` and `tokens_per_second` are means: of `timed_requests`, and over the
    `generation_ms` from their first tokens to their ends. With those as weights, means of several
    make one.
    """

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    model: str | None
    token: str | None
    token_name: str | None
    member: str | None
    member_name: str | None
    group: str | None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    searches: int
    spent: Tokens
    first_token_ms: float | None
    tokens_per_second: float | None
    timed_requests: int
    generation_ms: int
    errors: dict[str, int]


class UsageList(msgspec.Struct):
    """In order of time."""

    object: Literal["list"]
    data: list[UsageShown]
    has_more: bool
    next: str | None


class Subscription(msgspec.Struct):
    """As OpenAI's `/dashboard/billing/subscription` was: its dollars are Tokens here."""

    object: Literal["billing_subscription"]
    has_payment_method: bool
    soft_limit_usd: Tokens
    hard_limit_usd: Tokens
    system_hard_limit_usd: Tokens
    access_until: int
    unit: Literal["Token"]


class BillingUsage(msgspec.Struct):
    """`total_usage` in hundredths of a Token, as OpenAI's was in cents."""

    object: Literal["list"]
    total_usage: Tokens
    unit: Literal["0.01 Token"]


class RequestShown(msgspec.Struct, kw_only=True):
    """What became of a request. Its text is not kept.

    `outcome` is `charged`, `running`, or the code of its error. What was charged is the sum of
    the four costs, but for what is `not_charged`: never more than was held.
    """

    object: Literal["request"] = "request"
    id: str
    at: Moment
    outcome: str
    status: int | None = None
    finish: str | None = None
    operation: str | None = None
    model: str | None = None
    stream: bool | None = None
    group: str | None
    member: str | None
    member_name: str | None
    token: str | None
    token_name: str | None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    search_tokens: int = 0
    searches: int = 0
    held: Tokens | None = None
    cost: Tokens = ZERO
    input_cost: Tokens = ZERO
    cached_cost: Tokens = ZERO
    output_cost: Tokens = ZERO
    search_cost: Tokens = ZERO
    not_charged: Tokens = ZERO
    input_rate: Tokens | None = None
    output_rate: Tokens | None = None
    cached_rate: Tokens | None = None
    search_rate: Tokens | None = None
    wait_ms: int | None = None
    first_ms: int | None = None
    total_ms: int | None = None
    note: str = ""
