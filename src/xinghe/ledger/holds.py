"""The life of a hold: reserve, checkpoint, then capture or release, exactly once.

And the spend caps of tokens, which it keeps to: one row a token that has a cap, with spent = Σ
usage entries of the token since the period began, held = Σ its open holds.

Every function is an operation on the database, part of one transaction. Amounts are
micro-Tokens, times microseconds UTC.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from xinghe.core import MICRO, Rate
from xinghe.ledger import lots
from xinghe.storage import Allowance, Connection

Period = Literal["day", "month", "total"]

SWEPT_ON_THE_WAY = 20
"""Expired lots; what an account has beyond is swept in batches of its own."""
_DAY = 86_400 * MICRO


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Counts of tokens, and of searches; `cached` and `search` are each part of `prompt`."""

    prompt: int
    completion: int
    cached: int
    search: int = 0
    searches: int = 0


class Unswept(msgspec.Struct, frozen=True):
    """Whether the account covers the hold is not known before more expired lots are swept."""


UNSWEPT: Final = Unswept()


class Cap(msgspec.Struct, frozen=True):
    """At most `amount` in each day or month (UTC), or in `total`."""

    amount: int
    per: Period
    since: int
    spent: int
    held: int

    def at(self, moment: int) -> Cap:
        """The same in the period of a moment; a moment of an earlier period changes nothing."""
        since = period_start(self.per, moment)
        return msgspec.structs.replace(self, since=since, spent=0) if since > self.since else self


class Hold(msgspec.Struct, frozen=True):
    """What is set aside for one request, and what it will be charged by.

    The id is the hold's own: request ids are short enough to collide. It begins with the time (14
    hexadecimal digits of microseconds, then 16 random), so that new rows go to the end of the
    table.
    """

    id: str
    account_id: int
    token_id: int
    request_id: str
    model: str
    amount: int
    owner: str
    stream: bool
    prompt_tokens: int
    rate: Rate
    created_at: int


class OpenHold(msgspec.Struct, frozen=True):
    """An open hold as the reaper finds it, with the last checkpoint.

    `started` is false while nothing that is owed was done for it.
    """

    id: str
    account_id: int
    stream: bool
    started: bool
    usage: Counts


def reserve(connection: Connection, hold: Hold) -> int | Cap | Unswept | None:
    """Open a hold. Returns None, or what is available or the token's cap if that is too little.

    No refusal is an exception: the expired lots that were swept on the way stay swept.
    """
    account, at = hold.account_id, hold.created_at
    if not lots.expire(connection, account, at, Allowance(SWEPT_ON_THE_WAY, math.inf))[1]:
        # As good as swept, if valid lots hold all that is promised by then.
        held = connection.value("SELECT held FROM accounts WHERE id = $1", account)
        if not lots.cover(connection, account, held + hold.amount, at):
            return UNSWEPT
    cap = cap_of(connection, hold.token_id)
    if cap is not None:
        cap = cap.at(hold.created_at)
        if cap.spent + cap.held + hold.amount > cap.amount:
            return cap
    reserved = connection.run(
        "UPDATE accounts SET available = available - $1, held = held + $1 "
        "WHERE id = $2 AND available >= $1",
        hold.amount,
        hold.account_id,
    )
    if not reserved:
        return available(connection, hold.account_id)
    if cap is not None:
        grown = msgspec.structs.replace(cap, held=cap.held + hold.amount)
        _write_cap(connection, hold.token_id, grown)
    connection.run(
        "INSERT INTO holds (id, account_id, token_id, request_id, model, amount, state, owner, "
        "stream, started, prompt_tokens, input_rate, output_rate, cached_rate, search_rate, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, 0, $9, $10, $11, $12, $13, "
        "$14)",
        hold.id,
        hold.account_id,
        hold.token_id,
        hold.request_id,
        hold.model,
        hold.amount,
        hold.owner,
        int(hold.stream),
        hold.prompt_tokens,
        hold.rate.input,
        hold.rate.output,
        hold.rate.cached_input,
        hold.rate.search,
        hold.created_at,
    )
    return None


def available(connection: Connection, account_id: int) -> int:
    """What an account may spend, with what has expired since the last sweep."""
    found: int | None = connection.value("SELECT available FROM accounts WHERE id = $1", account_id)
    if found is None:
        raise LookupError(f"there is no account of id {account_id}")
    return found


def checkpoint(connection: Connection, counts: Iterable[tuple[str, Counts]]) -> None:
    """Note what open holds have used so far, by hold id, and that they have started."""
    connection.run_many(
        "UPDATE holds SET started = 1, prompt_tokens = $1, emitted = $2, cached_tokens = $3, "
        "search_tokens = $4, searches = $5 WHERE id = $6 AND state = 'open'",
        [(*_counts(usage), hold) for hold, usage in counts],
    )


def capture(
    connection: Connection, hold_id: str, usage: Counts, *, at: int, note: str = ""
) -> bool:
    """Charge what was used, at the hold's rates and at most its amount; give back the rest.

    Returns whether it was this call that resolved the hold.
    """
    row = connection.row(
        "UPDATE holds SET state = 'captured', resolved_at = $1, prompt_tokens = $2, emitted = $3, "
        "cached_tokens = $4, search_tokens = $5, searches = $6 WHERE id = $7 AND state = 'open' "
        "RETURNING account_id, token_id, request_id, model, amount, created_at, "
        "input_rate, output_rate, cached_rate, search_rate",
        at,
        *_counts(usage),
        hold_id,
    )
    if row is None:
        return False
    account_id, token_id, request_id, model, amount, created_at, *rates = row
    counted = Rate(*rates).cost(usage.prompt, usage.completion, usage.cached, usage.searches)
    cost = min(counted, amount)
    balance = connection.value(
        "UPDATE accounts SET held = held - $1, available = available + $2 WHERE id = $3 "
        "RETURNING available + held",
        amount,
        amount - cost,
        account_id,
    )
    lots.draw(connection, account_id, cost, held_since=created_at)
    resolve_cap(connection, token_id, amount, cost, at)
    connection.run(
        "INSERT INTO entries (account_id, at, kind, amount, balance_after, request_id, hold_id, "
        "model, token_id, token_name, prompt_tokens, completion_tokens, cached_tokens, "
        "search_tokens, searches, input_rate, output_rate, cached_rate, search_rate, note) "
        "VALUES ($1, $2, 'usage', $3, $4, $5, $6, $7, $8, (SELECT name FROM tokens WHERE id = $8), "
        "$9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        account_id,
        at,
        -cost,
        balance,
        request_id,
        hold_id,
        model,
        token_id,
        *_counts(usage),
        *rates,
        note,
    )
    return True


def release(connection: Connection, hold_id: str, *, at: int) -> bool:
    """Give the whole amount back; returns whether it was this call that resolved the hold."""
    row = connection.row(
        "UPDATE holds SET state = 'released', resolved_at = $1 WHERE id = $2 AND state = 'open' "
        "RETURNING account_id, token_id, amount",
        at,
        hold_id,
    )
    if row is None:
        return False
    account_id, token_id, amount = row
    connection.run(
        "UPDATE accounts SET held = held - $1, available = available + $1 WHERE id = $2",
        amount,
        account_id,
    )
    resolve_cap(connection, token_id, amount, 0, at)
    return True


def owners(connection: Connection) -> set[str]:
    """The boot ids that open holds name."""
    # From one to the next in the index: a dead process may have left very many holds.
    rows = connection.rows(
        "WITH RECURSIVE each(owner) AS ("
        "SELECT min(owner) FROM holds WHERE state = 'open' UNION ALL "
        "SELECT (SELECT min(owner) FROM holds WHERE state = 'open' AND owner > each.owner) "
        "FROM each WHERE each.owner IS NOT NULL"
        ") SELECT owner FROM each WHERE owner IS NOT NULL"
    )
    return {owner for (owner,) in rows}


def open_holds(connection: Connection, owner: str, *, after: str, limit: int) -> list[OpenHold]:
    """What a process has open, in the order of the ids, from the one after an id on."""
    rows = connection.rows(
        "SELECT id, account_id, stream, started, prompt_tokens, emitted, cached_tokens, "
        "search_tokens, searches FROM holds "
        "WHERE state = 'open' AND owner = $1 AND id > $2 ORDER BY id LIMIT $3",
        owner,
        after,
        limit,
    )
    return [
        OpenHold(hold_id, account_id, bool(stream), bool(started), Counts(*counts))
        for hold_id, account_id, stream, started, *counts in rows
    ]


def _counts(usage: Counts) -> tuple[int, ...]:
    return usage.prompt, usage.completion, usage.cached, usage.search, usage.searches


def period_start(per: Period, at: int) -> int:
    """When the period of a moment began; 0 for `total`."""
    if per == "total":
        return 0
    if per == "day":
        return at - at % _DAY
    first = datetime.datetime.fromtimestamp(at // MICRO, datetime.UTC).replace(
        day=1, hour=0, minute=0, second=0
    )
    return int(first.timestamp()) * MICRO


def cap_of(connection: Connection, token_id: int) -> Cap | None:
    """A token's cap as it was last written."""
    row = connection.row(
        "SELECT amount, per, since, spent, held FROM caps WHERE token_id = $1", token_id
    )
    return None if row is None else Cap(*row)


def _write_cap(connection: Connection, token_id: int, cap: Cap) -> None:
    """Put a token's row in place of the one that was there."""
    connection.run(
        "INSERT INTO caps (token_id, amount, per, since, spent, held) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (token_id) DO UPDATE SET "
        "amount = $2, per = $3, since = $4, spent = $5, held = $6",
        token_id,
        cap.amount,
        cap.per,
        cap.since,
        cap.spent,
        cap.held,
    )


def resolve_cap(connection: Connection, token_id: int, held: int, cost: int, at: int) -> None:
    """A hold of a token was resolved, at a cost (0 if it was released)."""
    cap = cap_of(connection, token_id)
    if cap is None:
        return
    # A capture is queued with its time: one of the last period may come after the new one began.
    due = cap.at(at)
    counts = at >= due.since
    _write_cap(
        connection,
        token_id,
        msgspec.structs.replace(
            due, held=due.held - held, spent=due.spent + cost if counts else due.spent
        ),
    )


def put_cap(connection: Connection, token_id: int, amount: int, per: Period, at: int) -> None:
    """Give a token a cap; what it spent before in the running period counts."""
    since = period_start(per, at)
    # By the account, which has an index: an act of an operator may read what a request may not.
    spent = connection.value(
        "SELECT CAST(coalesce(-sum(amount), 0) AS BIGINT) FROM entries "
        "WHERE kind = 'usage' AND at >= $1 "
        "AND token_id = $2 AND account_id = (SELECT account_id FROM tokens WHERE id = $2)",
        since,
        token_id,
    )
    held = connection.value(
        "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM holds "
        "WHERE state = 'open' AND token_id = $1 "
        "AND account_id = (SELECT account_id FROM tokens WHERE id = $1)",
        token_id,
    )
    _write_cap(connection, token_id, Cap(amount, per, since, spent, held))


def remove_cap(connection: Connection, token_id: int) -> None:
    """Take a token's cap away, if it has one."""
    connection.run("DELETE FROM caps WHERE token_id = $1", token_id)
