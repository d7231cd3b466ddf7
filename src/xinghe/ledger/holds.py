"""The life of a hold: reserve, checkpoint, then capture or release, exactly once.

Every function is an operation on the database, part of one transaction. Amounts are
micro-Tokens, times microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from xinghe.catalog.rate import Rate
from xinghe.ledger import bound, budgets, expiry, lots, rollups
from xinghe.ledger.budgets import Budget, BudgetReached, Places
from xinghe.ledger.rollups import NOTHING_TOLD, Told
from xinghe.storage import Connection


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Counts of tokens, and of searches; `cached` and `search` are each part of `prompt`."""

    prompt: int
    completion: int
    cached: int
    search: int = 0
    searches: int = 0


class Reserved(msgspec.Struct, frozen=True):
    """A hold was opened: in which wallet, and in which budgets' windows it counts."""

    wallet_id: int
    places: Places


class Uncovered(msgspec.Struct, frozen=True):
    """None of the wallets covers a hold; `available` is what the fullest has for its model."""

    available: int


class Unswept(msgspec.Struct, frozen=True):
    """Whether a wallet covers the hold is not known before more expired lots are swept."""

    wallet_id: int


class Unsettled(msgspec.Struct, frozen=True):
    """How many holds are open; `oldest`: when the first of them was opened."""

    open: int
    oldest: int | None


Outcome: TypeAlias = Reserved | Uncovered | BudgetReached | Unswept


class Hold(msgspec.Struct, frozen=True):
    """What is set aside for one request, in the first of the wallets that covers it.

    The `budgets` are those that it counts in.

    The id is the hold's own: request ids are short enough to collide. It begins with the time (14
    hexadecimal digits of microseconds, then 16 random), so that new rows go to the end of the
    table.
    """

    id: str
    member_id: int
    token_id: int
    wallets: tuple[int, ...]
    budgets: tuple[Budget, ...]
    request_id: str
    model: str
    amount: int
    owner: str
    stream: bool
    prompt_tokens: int
    rate: Rate
    created_at: int


def reserve(connection: Connection, hold: Hold) -> Outcome:
    """Open a hold, or say why not.

    No refusal is an exception: the expired lots that were swept on the way stay swept.
    """
    reached = budgets.look(connection, hold.budgets, hold.amount, hold.created_at)
    if reached is not None:
        return reached
    most = 0
    for wallet in hold.wallets:
        if not expiry.on_the_way(connection, wallet, hold.amount, hold.created_at):
            return Unswept(wallet)
        pinned, left = _set_aside(connection, wallet, hold.model, hold.amount, hold.created_at)
        if pinned is not None:
            places = budgets.count(connection, hold.budgets, hold.amount, hold.created_at)
            _insert(connection, hold, wallet, places, bound.total(pinned))
            bound.pin(connection, hold.id, pinned)
            return Reserved(wallet, places)
        most = max(most, left)
    return Uncovered(most)


def _set_aside(
    connection: Connection, wallet: int, model: str, amount: int, at: int
) -> tuple[list[bound.Part] | None, int]:
    """Move an amount of a wallet from available to held, if it has so much for a model.

    Returns what of it is to be pinned in lots that are bound to models; None, and what there is,
    where that is too little.
    """
    take = (
        "UPDATE wallets SET available = available - $1, held = held + $1, bound = bound - $2 "
        "WHERE id = $3 AND available - $1 >= bound - $2"
    )
    if connection.run(f"{take} AND bound = 0", amount, 0, wallet):
        return [], amount
    left, parts = _left(connection, wallet, model, amount, at)
    if connection.run(take, amount, bound.total(parts), wallet):
        return parts, left
    return None, left


def _left(
    connection: Connection, wallet: int, model: str, amount: int, at: int
) -> tuple[int, list[bound.Part]]:
    """What a wallet has for a model, of what is bound at most `amount`, and what one hold pins;
    where that lies.
    """
    row = connection.row("SELECT available, bound FROM wallets WHERE id = $1", wallet)
    if row is None:
        raise LookupError(f"there is no wallet of id {wallet}")
    total, is_bound = row
    parts = bound.free(connection, wallet, model, amount, at, most=bound.LOTS) if is_bound else []
    return total - is_bound + bound.total(parts), parts


def _insert(connection: Connection, hold: Hold, wallet: int, places: Places, pinned: int) -> None:
    connection.run(
        "INSERT INTO holds (id, wallet_id, member_id, token_id, budgets, request_id, model, "
        "amount, state, owner, stream, started, prompt_tokens, input_rate, output_rate, "
        "cached_rate, search_rate, created_at, pinned) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
        "'open', $9, $10, 0, $11, $12, $13, $14, $15, $16, $17)",
        hold.id,
        wallet,
        hold.member_id,
        hold.token_id,
        budgets.written(places),
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
        pinned,
    )


def unsettled(connection: Connection) -> Unsettled:
    """How many are open, of all processes."""
    row = connection.row("SELECT count(*), min(created_at) FROM holds WHERE state = 'open'")
    assert row is not None
    return Unsettled(*row)


def available(connection: Connection, wallet_id: int, model: str, enough: int, at: int) -> int:
    """What a model may be paid with from a wallet, with what has expired since the last sweep.

    Of what is bound to models it counts no more than `enough`.
    """
    return _left(connection, wallet_id, model, enough, at)[0]


def checkpoint(connection: Connection, counts: Iterable[tuple[str, Counts]]) -> None:
    """Note what open holds have used so far, by hold id, and that they have started."""
    connection.run_many(
        "UPDATE holds SET started = 1, prompt_tokens = $1, emitted = $2, cached_tokens = $3, "
        "search_tokens = $4, searches = $5 WHERE id = $6 AND state = 'open'",
        [(*_counts(usage), hold) for hold, usage in counts],
    )


def capture(
    connection: Connection,
    hold_id: str,
    usage: Counts,
    *,
    at: int,
    told: Told = NOTHING_TOLD,
    note: str = "",
) -> bool:
    """Charge what was used, at the hold's rates and at most its amount; give back the rest.

    Returns whether it was this call that resolved the hold.
    """
    row = connection.row(
        "UPDATE holds SET state = 'captured', resolved_at = $1, prompt_tokens = $2, emitted = $3, "
        "cached_tokens = $4, search_tokens = $5, searches = $6 WHERE id = $7 AND state = 'open' "
        "RETURNING wallet_id, coalesce(member_id, "
        "(SELECT t.member_id FROM tokens t WHERE t.id = token_id)), "  # null: of an older program
        "token_id, budgets, request_id, model, amount, created_at, "
        "pinned, input_rate, output_rate, cached_rate, search_rate",
        at,
        *_counts(usage),
        hold_id,
    )
    if row is None:
        return False
    wallet_id, member_id, token_id, counted, request_id, model, amount, created_at = row[:8]
    pinned, *rates = row[8:]
    cost = Rate(*rates).cost(usage.prompt, usage.completion, usage.cached, usage.searches)
    cost = min(cost, amount)
    balance, is_bound = connection.rows(
        "UPDATE wallets SET held = held - $1, available = available + $2 WHERE id = $3 "
        "RETURNING available + held, bound",
        amount,
        amount - cost,
        wallet_id,
    )[0]
    taken = 0
    if pinned or is_bound:
        # What others have given back meanwhile pays before what is for all models. What was pinned
        # is free again, so those never pay more than the hold set aside of them.
        bound.unpin(connection, hold_id)
        parts = bound.free(connection, wallet_id, model, cost, created_at)
        bound.take(connection, parts)
        taken = bound.total(parts)
        connection.run(
            "UPDATE wallets SET bound = bound + $1 WHERE id = $2", pinned - taken, wallet_id
        )
    lots.draw(connection, wallet_id, cost - taken, held_since=created_at)
    budgets.correct(connection, budgets.places(counted), cost - amount)
    connection.run(
        "INSERT INTO entries (wallet_id, member_id, at, kind, amount, balance_after, request_id, "
        "hold_id, model, token_id, prompt_tokens, completion_tokens, cached_tokens, "
        "search_tokens, searches, input_rate, output_rate, cached_rate, search_rate, note, "
        "finish, reasoning_tokens, wait_ms, first_ms, total_ms) "
        "VALUES ($1, $2, $3, 'usage', $4, $5, $6, $7, $8, $9, "
        "$10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
        wallet_id,
        member_id,
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
        *msgspec.structs.astuple(told),
    )
    counts = (usage.prompt, usage.completion, usage.cached, usage.searches)
    rollups.add(
        connection,
        wallet_id=wallet_id,
        at=at,
        member_id=member_id,
        token_id=token_id,
        model=model,
        counts=counts,
        spend=cost,
        told=told,
    )
    return True


def release(connection: Connection, hold_id: str, *, at: int) -> bool:
    """Give the whole amount back; returns whether it was this call that resolved the hold."""
    row = connection.row(
        "UPDATE holds SET state = 'released', resolved_at = $1 WHERE id = $2 AND state = 'open' "
        "RETURNING wallet_id, budgets, amount, pinned",
        at,
        hold_id,
    )
    if row is None:
        return False
    wallet_id, counted, amount, pinned = row
    connection.run(
        "UPDATE wallets SET held = held - $1, available = available + $1, bound = bound + $2 "
        "WHERE id = $3",
        amount,
        pinned,
        wallet_id,
    )
    if pinned:
        bound.unpin(connection, hold_id)
    budgets.correct(connection, budgets.places(counted), -amount, requests=-1)
    return True


def reopen(connection: Connection, hold_id: str, at: int) -> None:
    """Open a released hold again, with what its wallet has left for its model, at most its amount.

    What had expired by then is no part of that.
    """
    wallet_id, model, amount = connection.rows(
        "SELECT wallet_id, model, amount FROM holds WHERE id = $1", hold_id
    )[0]
    part = min(amount, available(connection, wallet_id, model, amount, at))
    pinned, _ = _set_aside(connection, wallet_id, model, part, at)
    assert pinned is not None
    counted = connection.value(
        "UPDATE holds SET state = 'open', resolved_at = NULL, amount = $1, pinned = $2 "
        "WHERE id = $3 RETURNING budgets",
        part,
        bound.total(pinned),
        hold_id,
    )
    bound.pin(connection, hold_id, pinned)
    budgets.correct(connection, budgets.places(counted), part, requests=1)


def _counts(usage: Counts) -> tuple[int, ...]:
    return usage.prompt, usage.completion, usage.cached, usage.search, usage.searches
