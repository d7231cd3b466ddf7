"""One request: what it cost and why, how long each part took, how it ended."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinghe.storage import Connection
from xinghe.usage.entries import SAME, of_request
from xinghe.usage.lines import Line
from xinghe.usage.scope import Scope, by_index


class Hold(msgspec.Struct, frozen=True):
    """What was held for it, in micro-Tokens, and when; whether it was streamed."""

    amount: int
    stream: bool
    created_at: int


class Running(msgspec.Struct, frozen=True):
    """A request whose hold is open."""

    wallet_id: int
    member_id: int
    appid: str
    member_name: str | None
    token: str
    token_name: str
    model: str
    hold: Hold


class Failure(msgspec.Struct, frozen=True):
    """One that failed in the last days; `at` in microseconds UTC."""

    wallet_id: int
    member_id: int
    appid: str
    member_name: str | None
    token: str
    token_name: str
    model: str
    at: int
    operation: str
    status: int
    code: str
    total_ms: int


_WHO = "r.wallet_id, r.member_id, m.appid, m.name, t.public_id, t.name, r.model"
_JOINS = "JOIN members m ON m.id = r.member_id JOIN tokens t ON t.id = r.token_id"


def find(
    connection: Connection, scope: Scope, request_id: str, *, paying: Iterable[int]
) -> tuple[Line, Hold | None] | Running | Failure | None:
    """The newest of an id that belongs to a scope, whose running requests wallets are `paying`."""
    with by_index(connection):
        for line in of_request(connection, scope, request_id):
            if line.kind == "usage":
                row = connection.row(
                    "SELECT amount, stream, created_at FROM holds WHERE id = $1", line.hold_id
                )
                return line, None if row is None else Hold(row[0], bool(row[1]), row[2])
        for wallet in paying:
            rows = connection.rows(
                f"SELECT {_WHO}, r.amount, r.stream, r.created_at "  # noqa: S608
                f"FROM holds r {_JOINS} WHERE r.wallet_id = $1 AND r.state = 'open' "
                "AND r.request_id = $2",
                wallet,
                request_id,
            )
            for *who, amount, stream, created_at in rows:
                if scope.holds(who[0], who[1]):
                    return Running(*[*who, Hold(amount, bool(stream), created_at)])
        rows = connection.rows(
            f"SELECT {_WHO}, r.at, r.operation, r.status, r.code, "  # noqa: S608
            f"r.total_ms FROM failures r {_JOINS} WHERE r.request_id = $1 LIMIT {SAME}",
            request_id,
        )
        failures = (Failure(*row) for row in rows)
        return next(
            (each for each in failures if scope.holds(each.wallet_id, each.member_id)), None
        )
