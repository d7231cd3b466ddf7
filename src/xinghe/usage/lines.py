"""An entry of the books as the details tell it, and what is asked of entries."""

from __future__ import annotations

import msgspec

from xinghe.usage.pages import EVER, Position
from xinghe.usage.scope import Sql

FIELDS = (
    "e.id, e.wallet_id, e.at, e.kind, e.amount, e.balance_after, e.request_id, e.model, "
    "coalesce(e.member_id, t.member_id), m.appid, m.name, e.token_id, t.public_id, t.name, "
    "e.prompt_tokens, e.completion_tokens, e.cached_tokens, e.reasoning_tokens, e.search_tokens, "
    "e.searches, e.input_rate, e.output_rate, e.cached_rate, e.search_rate, e.wait_ms, "
    "e.first_ms, e.total_ms, e.finish, e.note, e.hold_id"
)
# Before there were members, an entry named its token alone.
NAMED = (
    "LEFT JOIN tokens t ON t.id = e.token_id "
    "LEFT JOIN members m ON m.id = coalesce(e.member_id, t.member_id)"
)


class Line(msgspec.Struct, frozen=True):
    """One entry; amounts and rates in micro-Tokens, `at` in microseconds UTC, times in ms."""

    id: int
    wallet_id: int
    at: int
    kind: str
    amount: int
    balance_after: int
    request_id: str | None
    model: str | None
    member_id: int | None
    appid: str | None
    member_name: str | None
    token_id: int | None
    token: str | None
    token_name: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    search_tokens: int
    searches: int
    input_rate: int | None
    output_rate: int | None
    cached_rate: int | None
    search_rate: int | None
    wait_ms: int | None
    first_ms: int | None
    total_ms: int | None
    finish: str | None
    note: str
    hold_id: str | None

    @property
    def position(self) -> Position:
        return Position(self.at, self.id)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: from `since` on, before `until` (microseconds).

    Whoever names a `token` by its id names its `member` as well.
    """

    since: int = 0
    until: int = EVER
    token: int | None = None
    member: int | None = None
    model: str | None = None
    kind: str | None = None
    request_id: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether the roll-ups may know better where to look."""
        return any(each is not None for each in (self.token, self.member, self.model))

    def add(self, sql: Sql) -> None:
        """The conditions on an entry that a source of it does not say."""
        for column, value in (("token_id", self.token), ("model", self.model), ("kind", self.kind)):
            if value is not None:
                sql.add(f"AND e.{column} = ?", value)
