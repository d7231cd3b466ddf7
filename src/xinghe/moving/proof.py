"""Whether two databases hold the same: rows of each table, and what each wallet has."""

import msgspec

from xinghe.storage import Connection, StorageError
from xinghe.storage.backup import KEYS

_BY_WALLET = {
    "the sum of entries": "SELECT wallet_id, count(*), CAST(sum(amount) AS BIGINT), max(id) "
    "FROM entries GROUP BY wallet_id ORDER BY wallet_id",
    "the balance": "SELECT id, available, held, bound FROM wallets ORDER BY id",
    "the sum of lots": "SELECT wallet_id, count(*), CAST(sum(remaining) AS BIGINT), "
    "CAST(sum(pinned) AS BIGINT) FROM lots GROUP BY wallet_id ORDER BY wallet_id",
    "the sum of open holds": "SELECT wallet_id, count(*), CAST(sum(amount) AS BIGINT), "
    "CAST(sum(pinned) AS BIGINT) FROM holds WHERE state = 'open' "
    "GROUP BY wallet_id ORDER BY wallet_id",
}


class Proof(msgspec.Struct, frozen=True):
    """How much was found to be the same; `balance` is that of all wallets, in micro-Tokens."""

    tables: int
    rows: int
    wallets: int
    balance: int


def proved(source: Connection, copy: Connection) -> Proof:
    """Raises `StorageError` where they differ, with the first place."""
    rows = 0
    for table in KEYS:
        count = f"SELECT count(*) FROM {table}"  # noqa: S608
        there, here = source.value(count), copy.value(count)
        if there != here:
            raise StorageError(
                f"the copy is not the same: table {table} has {here} rows, not {there}"
            )
        rows += there
    for what, query in _BY_WALLET.items():
        wanted, found = source.rows(query), copy.rows(query)
        for one, other in zip(wanted, found, strict=False):
            if tuple(one) != tuple(other):
                raise StorageError(
                    f"the copy is not the same: {what} of wallet {one[0]} is {other}, not {one}"
                )
        if len(wanted) != len(found):
            raise StorageError(f"the copy is not the same: {what} of {len(found)} wallets")
    balances = source.rows(_BY_WALLET["the balance"])
    return Proof(len(KEYS), rows, len(balances), sum(each[1] + each[2] for each in balances))
