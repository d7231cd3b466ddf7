"""The proof that all of the books agrees.

Every invariant is one query that finds what breaks it. Both databases understand it.
"""

import asyncio
from collections.abc import Iterator

import msgspec

from xinghe.ledger import agreement, budgets, sold
from xinghe.ledger.entries import portions
from xinghe.storage import Connection, Database

MOST = 1000
"""Findings of one statement: books that are off throughout need not be told line by line."""

_OF_EACH = {
    "entries": (
        0,
        "each entry's balance follows from the one before",
        """
        SELECT 'entry ' || c.id, c.expected, c.balance_after FROM (
            SELECT e.id, e.balance_after, e.amount + coalesce(
                lag(e.balance_after) OVER (PARTITION BY e.wallet_id ORDER BY e.id),
                (SELECT p.balance_after FROM entries p
                 WHERE p.wallet_id = e.wallet_id AND p.id <= $1 ORDER BY p.id DESC LIMIT 1),
                0) AS expected
            FROM entries e WHERE e.id > $1 AND e.id <= $2
        ) c WHERE c.expected != c.balance_after""",
    ),
    "holds": (
        "",
        "a captured hold was charged once, what its counts cost, at most its amount; others never",
        """
        SELECT 'hold ' || c.id || ' (' || c.state || ')',
            coalesce(c.due || ' from wallet ' || c.wallet_id, 'nothing'),
            coalesce(c.charged || ' from wallet ' || c.payer, 'nothing')
        FROM (
            SELECT h.id, h.state, h.wallet_id, e.wallet_id AS payer, -e.amount AS charged,
                CASE WHEN h.state != 'captured' THEN NULL
                WHEN h.amount > (e.prompt_tokens - e.cached_tokens) * e.input_rate
                    + e.cached_tokens * e.cached_rate + e.completion_tokens * e.output_rate
                    + e.searches * coalesce(e.search_rate, 0)
                THEN (e.prompt_tokens - e.cached_tokens) * e.input_rate
                    + e.cached_tokens * e.cached_rate + e.completion_tokens * e.output_rate
                    + e.searches * coalesce(e.search_rate, 0)
                ELSE h.amount END AS due
            FROM holds h LEFT JOIN entries e ON e.hold_id = h.id AND e.kind = 'usage'
                AND e.hold_id > $1 AND e.hold_id <= $2  -- else PostgreSQL reads all entries
            WHERE h.id > $1 AND h.id <= $2
        ) c WHERE c.due IS DISTINCT FROM c.charged OR c.payer != c.wallet_id""",
    ),
}
"""By table: what lies before the first id, and the rule of its rows, from one id to another.

What is written there once stays; so it may be read piece by piece.
"""

_OF_WALLETS = {
    # Which the last one says, where each follows from the one before.
    "the balance is the sum of the entries": """
        SELECT c.id, c.expected, c.balance FROM (
            SELECT a.id, a.available + a.held AS balance, coalesce(
                (SELECT e.balance_after FROM entries e WHERE e.wallet_id = a.id
                 ORDER BY e.id DESC LIMIT 1), 0) AS expected
            FROM wallets a
        ) c WHERE c.expected != c.balance""",
    "the balance is what the lots have left": """
        SELECT a.id, coalesce(l.total, 0), a.available + a.held
        FROM wallets a LEFT JOIN (
            SELECT wallet_id, sum(remaining) AS total FROM lots GROUP BY wallet_id
        ) l ON l.wallet_id = a.id
        WHERE coalesce(l.total, 0) != a.available + a.held""",
    "what is held is the sum of the open holds": """
        SELECT a.id, coalesce(h.total, 0), a.held
        FROM wallets a LEFT JOIN (
            SELECT wallet_id, sum(amount) AS total FROM holds WHERE state = 'open'
            GROUP BY wallet_id
        ) h ON h.wallet_id = a.id
        WHERE coalesce(h.total, 0) != a.held""",
    "what is bound is what bound lots have left beside the pins": """
        SELECT a.id, coalesce(l.total, 0), a.bound
        FROM wallets a LEFT JOIN (
            SELECT wallet_id, sum(remaining - pinned) AS total FROM lots
            WHERE models IS NOT NULL AND remaining > 0 GROUP BY wallet_id
        ) l ON l.wallet_id = a.id
        WHERE coalesce(l.total, 0) != a.bound""",
    "what a lot has pinned is the sum of its pins": """
        SELECT l.wallet_id, coalesce(p.total, 0), l.pinned
        FROM lots l LEFT JOIN (
            SELECT lot_id, sum(amount) AS total FROM pins GROUP BY lot_id
        ) p ON p.lot_id = l.id
        WHERE (l.pinned != 0 OR p.total IS NOT NULL) AND coalesce(p.total, 0) != l.pinned""",
    "what an open hold has pinned is the sum of its pins": """
        SELECT h.wallet_id, coalesce(p.total, 0), h.pinned
        FROM holds h LEFT JOIN (
            SELECT hold_id, sum(amount) AS total FROM pins GROUP BY hold_id
        ) p ON p.hold_id = h.id
        WHERE h.state = 'open' AND coalesce(p.total, 0) != h.pinned""",
    "an open hold has its pins in bound lots of its wallet, within its amount": """
        SELECT h.wallet_id, 'at most ' || h.amount, p.amount
        FROM pins p JOIN holds h ON h.id = p.hold_id JOIN lots l ON l.id = p.lot_id
        WHERE h.state != 'open' OR l.models IS NULL OR l.wallet_id != h.wallet_id
            OR h.pinned > h.amount""",
    "neither part of the balance is below zero": """
        SELECT id, 'at least 0',
            CASE WHEN available < 0 THEN available ELSE held END
        FROM wallets WHERE available < 0 OR held < 0""",
    "every lot came with its entry": """
        SELECT a.id, t.booked || ' by ' || t.kind, t.given || ' by ' || t.kind FROM (
            SELECT u.wallet_id, u.kind, sum(u.booked) AS booked, sum(u.given) AS given FROM (
                SELECT wallet_id, kind, amount AS booked, 0 AS given FROM entries
                WHERE kind <> 'usage' AND amount > 0
                UNION ALL SELECT wallet_id, kind, 0, amount FROM lots
            ) u GROUP BY u.wallet_id, u.kind
        ) t JOIN wallets a ON a.id = t.wallet_id WHERE t.booked != t.given""",
}


_COUNTED = "a budget's window counts what the holds that were opened in it cost or pin"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is off: which rule, where, and the figures (micro-Tokens or a count)."""

    rule: str
    where: str
    expected: str
    found: str


async def prove(database: Database) -> list[Finding]:
    """Everything that is off; an empty list proves the books, up to a moment during the check.

    It holds nobody up, and may take a minute for 10,000,000 entries. Raises `StorageUnavailable`.
    """
    # Both read all there is: each has a reader, and so a core, of its own.
    parts = await asyncio.gather(
        database.read(check, within=None), database.read(check_file, within=None)
    )
    return [finding for part in parts for finding in part]


def check(connection: Connection) -> list[Finding]:
    """What is off in the books."""
    findings: list[Finding] = []

    def hold_to(rule: str, query: str, *parameters: object) -> None:
        for where, expected, found in connection.rows(f"{query} LIMIT {MOST}", *parameters):
            findings.append(Finding(rule, where, str(expected), str(found)))

    read: dict[str, object] = {}
    for table, (first, rule, query) in _OF_EACH.items():
        read[table] = first
        for upto in portions(connection, table, first):
            hold_to(rule, query, read[table], upto)
            read[table] = upto
    with connection.snapshot():
        for table, (_, rule, query) in _OF_EACH.items():
            newest = connection.value(f"SELECT max(id) FROM {table}")  # noqa: S608
            if newest is not None:
                hold_to(rule, query, read[table], newest)
        findings += [*_wallets(connection), *_budgets(connection)]
        findings += [Finding(*each) for each in sold.disagreements(connection, MOST)]
    return findings


def check_file(connection: Connection) -> list[Finding]:
    """What is off in SQLite's file.

    PostgreSQL keeps to it by itself: its pages have checksums, its references are held.
    """
    if connection.dialect != "sqlite":
        return []
    return [
        Finding("the database file is intact", "xinghe.db", "ok", str(message))
        for (message,) in connection.rows("PRAGMA quick_check")
        if message != "ok"
    ] + [
        Finding("every reference leads somewhere", f"{table} row {row}", parent, "nothing")
        for table, row, parent, _ in connection.rows("PRAGMA foreign_key_check")
    ]


def _wallets(connection: Connection) -> Iterator[Finding]:
    for rule, query in _OF_WALLETS.items():
        for wallet, expected, found in connection.rows(f"{query} LIMIT {MOST}"):
            yield Finding(rule, _whose(connection, wallet), str(expected), str(found))
    for rule, wallet, since, expected, found in agreement.disagreements(connection, MOST):
        yield Finding(rule, f"{_whose(connection, wallet)} from {since}", expected, found)


def _whose(connection: Connection, wallet: int) -> str:
    whose: str | None = connection.value(
        "SELECT coalesce('member ' || m.name, 'group ' || g.name) FROM wallets w "
        "LEFT JOIN members m ON m.id = w.id LEFT JOIN groups g ON g.wallet_id = w.id "
        "WHERE w.id = $1",
        wallet,
    )
    return whose or f"wallet {wallet}"


def _budgets(connection: Connection) -> list[Finding]:
    expected: dict[tuple[int, int], list[int]] = {}
    for counted, tokens, requests in connection.rows(
        "SELECT h.budgets, CAST(sum(CASE h.state WHEN 'open' THEN h.amount "
        "WHEN 'captured' THEN coalesce(-e.amount, 0) ELSE 0 END) AS BIGINT), "
        "sum(CASE h.state WHEN 'released' THEN 0 ELSE 1 END) "
        "FROM holds h LEFT JOIN entries e ON e.hold_id = h.id AND e.kind = 'usage' "
        "WHERE h.budgets != '' GROUP BY h.budgets"
    ):
        for place in budgets.places(counted):
            sums = expected.setdefault(place, [0, 0])
            sums[0] += tokens
            sums[1] += requests
    findings = []
    for budget, part, unit, base, used in connection.rows(
        "SELECT w.budget_id, w.since, b.unit, w.base, w.used "
        "FROM budget_windows w JOIN budgets b ON b.id = w.budget_id"
    ):
        tokens, requests = expected.get((budget, part), (0, 0))
        due = base + (tokens if unit == "tokens" else requests)
        if due != used:
            findings.append(Finding(_COUNTED, f"budget {budget} from {part}", str(due), str(used)))
    return findings[:MOST]
