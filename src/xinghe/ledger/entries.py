"""Reading the entries: what the income and expense details show."""

from __future__ import annotations

import apsw
import msgspec

_COLUMNS = (
    "e.id, a.name, e.at, e.kind, e.amount, e.balance_after, e.request_id, e.hold_id, e.model, "
    "e.token_id, e.token_name, e.prompt_tokens, e.completion_tokens, e.cached_tokens, "
    "e.search_tokens, e.searches, e.input_rate, e.output_rate, e.cached_rate, e.search_rate, "
    "e.note"
)


class Entry(msgspec.Struct, frozen=True):
    """One line of the books; amounts and rates in micro-Tokens, `at` in microseconds UTC."""

    id: int
    account: str
    at: int
    kind: str
    amount: int
    balance_after: int
    request_id: str | None
    hold_id: str | None
    model: str | None
    token_id: int | None
    token_name: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    search_tokens: int
    searches: int
    input_rate: int | None
    output_rate: int | None
    cached_rate: int | None
    search_rate: int | None
    note: str


def latest(connection: apsw.Connection, *, account_id: int | None, limit: int) -> list[Entry]:
    """The last `limit` entries of one account or of all, the newest first."""
    where = "" if account_id is None else "WHERE e.account_id = ?1"
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM entries e JOIN accounts a ON a.id = e.account_id "  # noqa: S608
        f"{where} ORDER BY e.id DESC LIMIT ?2",
        (account_id, limit),
    )
    return [Entry(*row) for row in rows]
