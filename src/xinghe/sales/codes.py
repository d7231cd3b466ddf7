"""Redeem codes: made in batches, told once, each redeemed once into a wallet.

The database knows a code by its SHA-256. Amounts are micro-Tokens, times microseconds UTC; what
takes a connection is part of the caller's transaction.
"""

import asyncio
from typing import Any, Literal

import msgspec

from xinghe.accounts import AccountError, rules, wallets
from xinghe.accounts.audit import record
from xinghe.accounts.wallets import Wallet
from xinghe.ledger import bound, lots
from xinghe.ledger.windows import DAY
from xinghe.sales import code_text
from xinghe.sales.validity import check_days, until
from xinghe.storage import Allowance, Connection, Database, in_batches, now

MOST = 10_000
"""Codes of one batch."""
State = Literal["open", "used", "expired", "revoked"]
_SELECT = (
    "SELECT b.id, b.name, b.amount, b.count, b.expires_at, b.valid_days, b.models, b.redeemed, "
    "b.created_at, m.appid, b.revoked_at FROM code_batches b LEFT JOIN members m "
    "ON m.id = b.created_by WHERE b.count > 0 AND "
)


class NewBatch(msgspec.Struct, frozen=True, kw_only=True):
    """So many codes for an amount each, which may be redeemed until they expire.

    What is credited is valid for so many days from then on, and pays for these models alone.
    """

    name: str
    amount: int
    count: int
    expires_at: int
    valid_days: int | None = None
    models: tuple[str, ...] | None = None


class Batch(NewBatch, frozen=True, kw_only=True):
    """A batch without its codes; `created_by` is an appid, None for the command line."""

    id: int
    redeemed: int
    created_at: int
    created_by: str | None
    revoked_at: int | None

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        return f"codes-{self.id}"

    def state(self, at: int) -> State:
        if self.redeemed == self.count:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= at else "open"


class Redeemed(msgspec.Struct, frozen=True):
    """What a code has brought into a wallet."""

    batch: Batch
    number: int
    wallet: Wallet
    expires_at: int | None


class Redemption(msgspec.Struct, frozen=True):
    """Which code of a batch was redeemed when, into which wallet; `appid` None: by a command."""

    number: int
    at: int
    wallet_id: int
    appid: str | None


class UnknownCode(AccountError):
    """There is no such code: it is mistyped, or guessed."""

    def __init__(self) -> None:
        super().__init__("code: there is no such code: look whether it is typed as it is printed")


async def create(
    database: Database, actor: str, new: NewBatch, *, created_by: int | None = None
) -> tuple[Batch, list[str]]:
    """A new batch, and its codes in the order of their numbers, which are returned this once.

    They are written in several transactions, so that no request waits for thousands of rows; the
    last makes the batch known. One that is broken off before is never seen: nobody has its codes.
    Raises `AccountError` and `StorageError`.
    """
    new = _checked(new)
    codes = await asyncio.to_thread(code_text.make, new.count)
    digests = [code_text.digest(code) for code in codes]

    def begin(connection: Connection) -> int:
        _clear(connection)
        made: int = connection.value(
            "INSERT INTO code_batches (name, amount, valid_days, models, count, expires_at, "
            "created_at, created_by) VALUES ($1, $2, $3, $4, 0, $5, $6, $7) RETURNING id",
            new.name,
            new.amount,
            new.valid_days,
            bound.written(new.models),
            new.expires_at,
            now(),
            created_by,
        )
        return made

    batch_id = await database.write(begin)

    def write(connection: Connection, allowance: Allowance, written: int) -> tuple[int, bool]:
        for number, digest in enumerate(digests[written:], written + 1):
            if not allowance.take():
                return number - 1, False
            connection.run(
                "INSERT INTO codes (digest, batch_id, number) VALUES ($1, $2, $3)",
                digest,
                batch_id,
                number,
            )
        return new.count, True

    def finish(connection: Connection) -> Batch:
        connection.run("UPDATE code_batches SET count = $1 WHERE id = $2", new.count, batch_id)
        made = batch(connection, batch_id)
        record(connection, actor, "codes.create", made.subject, after=new)
        return made

    await in_batches(database, write, 0)
    return await database.write(finish), codes


def revoke(connection: Connection, actor: str, batch_id: int) -> Batch:
    """Have none of its codes be redeemed any more. Doing it twice is no error.

    Raises `AccountError` if there is no such batch.
    """
    before = batch(connection, batch_id)
    changed = connection.run(
        "UPDATE code_batches SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        now(),
        batch_id,
    )
    if changed:
        record(connection, actor, "codes.revoke", before.subject)
    return batch(connection, batch_id)


def redeem(
    connection: Connection, actor: str, typed: str, wallet_id: int, *, member_id: int | None
) -> Redeemed:
    """Credit a code to a wallet, once. Raises `UnknownCode` and `AccountError`.

    Who has a real code is told why it is void.
    """
    connection.lock([wallet_id])
    code = code_text.read(typed)
    digest = b"" if code is None else code_text.digest(code)
    row = connection.row(
        "SELECT batch_id, number, redeemed_at FROM codes WHERE digest = $1", digest
    )
    if row is None:
        raise UnknownCode
    batch_id, number, redeemed_at = row
    at, of = now(), batch(connection, batch_id)
    if redeemed_at is not None:
        raise _void("was redeemed already")
    if of.revoked_at is not None:
        raise _void("was revoked")
    if of.expires_at <= at:
        raise _void("has expired")
    if wallets.with_room(connection, wallet_id, of.amount).closed:
        raise AccountError(f"nobody can spend what the wallet {wallet_id} holds any more")
    expires_at = until(at, of.valid_days)
    lot = lots.credit(
        connection,
        wallet_id,
        of.amount,
        kind="code",
        at=at,
        expires_at=expires_at,
        models=of.models,
        note=f"code {number} of batch {batch_id}",
    )
    # Of those who come at once, the database lets one through; the others' lots are undone.
    if not connection.run(
        "UPDATE codes SET redeemed_at = $1, wallet_id = $2, member_id = $3, lot_id = $4 "
        "WHERE digest = $5 AND redeemed_at IS NULL",
        at,
        wallet_id,
        member_id,
        lot,
        digest,
    ):
        raise _void("was redeemed already")
    if not connection.run(
        "UPDATE code_batches SET redeemed = redeemed + 1 WHERE id = $1 AND revoked_at IS NULL",
        batch_id,
    ):
        raise _void("was revoked")
    after = wallets.wallet(connection, wallet_id)
    told = {"wallet": wallet_id, "batch": batch_id, "number": number, "amount": of.amount}
    record(connection, actor, "code.redeem", after.subject, after=told)
    return Redeemed(of, number, after, expires_at)


def batch(connection: Connection, batch_id: int) -> Batch:
    """Raises `AccountError` if there is none."""
    row = connection.row(f"{_SELECT}b.id = $1", batch_id)
    if row is None:
        raise AccountError(f"there is no batch of codes {batch_id}")
    return _batch(row)


def batches(connection: Connection, *, behind: int = 0, limit: int = 1000) -> list[Batch]:
    """In the order of their ids, behind one."""
    rows = connection.rows(f"{_SELECT}b.id > $1 ORDER BY b.id LIMIT $2", behind, limit)
    return [_batch(row) for row in rows]


def redemptions(
    connection: Connection, batch_id: int, *, behind: int = 0, limit: int = 1000
) -> list[Redemption]:
    """In the order of the codes' numbers, behind one."""
    rows = connection.rows(
        "SELECT c.number, c.redeemed_at, c.wallet_id, m.appid FROM codes c "
        "LEFT JOIN members m ON m.id = c.member_id WHERE c.batch_id = $1 AND c.number > $2 "
        "AND c.redeemed_at IS NOT NULL ORDER BY c.number LIMIT $3",
        batch_id,
        behind,
        limit,
    )
    return [Redemption(*row) for row in rows]


def _checked(new: NewBatch) -> NewBatch:
    rules.check_name(new.name)
    rules.check_amount(new.amount)
    if not 1 <= new.count <= MOST:
        raise AccountError(f"count: {new.count} is not allowed: 1 to {MOST}")
    rules.check_expiry(new.expires_at, now())
    check_days(new.valid_days)
    models = rules.check_models(new.models)
    return msgspec.structs.replace(new, models=None if models is None else tuple(models))


def _clear(connection: Connection) -> None:
    """Delete what was broken off while it was made."""
    broken_off = "SELECT id FROM code_batches WHERE count = 0 AND created_at < $1"
    before = now() - DAY
    connection.run(f"DELETE FROM codes WHERE batch_id IN ({broken_off})", before)  # noqa: S608
    connection.run("DELETE FROM code_batches WHERE count = 0 AND created_at < $1", before)


def _void(why: str) -> AccountError:
    return AccountError(f"the code {why}")


def _batch(row: tuple[Any, ...]) -> Batch:
    return Batch(
        id=row[0],
        name=row[1],
        amount=row[2],
        count=row[3],
        expires_at=row[4],
        valid_days=row[5],
        models=bound.read(row[6]),
        redeemed=row[7],
        created_at=row[8],
        created_by=row[9],
        revoked_at=row[10],
    )
