"""Reading the books: the entries, and the proof that all of it agrees.

Every invariant is one query that finds what breaks it.
"""

import msgspec

from xinghe.storage import Connection

_COLUMNS = (
    "e.id, a.name, e.at, e.kind, e.amount, e.balance_after, e.request_id, e.hold_id, e.model, "
    "e.token_id, e.token_name, e.prompt_tokens, e.completion_tokens, e.cached_tokens, "
    "e.search_tokens, e.searches, e.input_rate, e.output_rate, e.cached_rate, e.search_rate, "
    "e.note"
)

_RULES = {
    "the balance is the sum of the entries": """
        SELECT 'account ' || a.name, coalesce(e.total, 0), a.available + a.held
        FROM accounts a LEFT JOIN (
            SELECT account_id, sum(amount) AS total FROM entries GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE coalesce(e.total, 0) != a.available + a.held""",
    "the balance is what the lots have left": """
        SELECT 'account ' || a.name, coalesce(l.total, 0), a.available + a.held
        FROM accounts a LEFT JOIN (
            SELECT account_id, sum(remaining) AS total FROM lots GROUP BY account_id
        ) l ON l.account_id = a.id
        WHERE coalesce(l.total, 0) != a.available + a.held""",
    "what is held is the sum of the open holds": """
        SELECT 'account ' || a.name, coalesce(h.total, 0), a.held
        FROM accounts a LEFT JOIN (
            SELECT account_id, sum(amount) AS total FROM holds WHERE state = 'open'
            GROUP BY account_id
        ) h ON h.account_id = a.id
        WHERE coalesce(h.total, 0) != a.held""",
    "neither part of the balance is below zero": """
        SELECT 'account ' || name, 'at least 0', min(available, held)
        FROM accounts WHERE min(available, held) < 0""",
    "each entry's balance follows from the one before": """
        SELECT 'entry ' || id, running, balance_after FROM (
            SELECT id, balance_after,
                   sum(amount) OVER (PARTITION BY account_id ORDER BY id) AS running
            FROM entries
        ) WHERE running != balance_after""",
    "a captured hold has one usage entry, any other none": """
        SELECT 'hold ' || h.id || ' (' || h.state || ')', h.state = 'captured', count(e.id)
        FROM holds h LEFT JOIN entries e ON e.hold_id = h.id AND e.kind = 'usage'
        GROUP BY h.id HAVING count(e.id) != (h.state = 'captured')""",
    "a usage entry belongs to a hold of its account": """
        SELECT 'entry ' || e.id, e.account_id, coalesce(h.account_id, 'no hold')
        FROM entries e LEFT JOIN holds h ON h.id = e.hold_id
        WHERE e.kind = 'usage' AND h.account_id IS NOT e.account_id""",
    "a usage entry costs what its counts cost, at most its hold": """
        SELECT 'entry ' || e.id, expected, -e.amount FROM (
            SELECT e.id, e.amount, min(h.amount,
                (e.prompt_tokens - e.cached_tokens) * e.input_rate
                + e.cached_tokens * e.cached_rate
                + e.completion_tokens * e.output_rate
                + e.searches * coalesce(e.search_rate, 0)) AS expected
            FROM entries e JOIN holds h ON h.id = e.hold_id WHERE e.kind = 'usage'
        ) e WHERE -e.amount != expected""",
    "a cap counts what its token spent in the period": """
        SELECT 'token ' || c.token_id, coalesce(e.total, 0), c.spent
        FROM caps c LEFT JOIN (
            SELECT u.token_id, -sum(u.amount) AS total
            FROM entries u JOIN caps p ON p.token_id = u.token_id AND u.at >= p.since
            WHERE u.kind = 'usage' GROUP BY u.token_id
        ) e ON e.token_id = c.token_id
        WHERE coalesce(e.total, 0) != c.spent""",
    "a cap counts what its token holds": """
        SELECT 'token ' || c.token_id, coalesce(h.total, 0), c.held
        FROM caps c LEFT JOIN (
            SELECT token_id, sum(amount) AS total FROM holds WHERE state = 'open'
            GROUP BY token_id
        ) h ON h.token_id = c.token_id
        WHERE coalesce(h.total, 0) != c.held""",
    "every lot came with its entry": """
        SELECT 'account ' || a.name, coalesce(l.total, 0), coalesce(e.total, 0)
        FROM accounts a LEFT JOIN (
            SELECT account_id, sum(amount) AS total FROM lots GROUP BY account_id
        ) l ON l.account_id = a.id LEFT JOIN (
            SELECT account_id, sum(amount) AS total FROM entries WHERE amount > 0
            GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE coalesce(l.total, 0) != coalesce(e.total, 0)""",
}


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


def latest(connection: Connection, *, account_id: int | None, limit: int) -> list[Entry]:
    """The last `limit` entries of one account or of all, the newest first."""
    where, *values = [""] if account_id is None else ["WHERE e.account_id = $1", account_id]
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM entries e JOIN accounts a ON a.id = e.account_id "  # noqa: S608
        f"{where} ORDER BY e.id DESC LIMIT {limit:d}",
        *values,
    )
    return [Entry(*row) for row in rows]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is off: which rule, where, and the figures (micro-Tokens or a count)."""

    rule: str
    where: str
    expected: str
    found: str


def check(connection: Connection) -> list[Finding]:
    """Everything that is off, as of one moment; an empty list proves the books."""
    with connection.snapshot():
        findings = [
            Finding(rule, str(where), str(expected), str(found))
            for rule, query in _RULES.items()
            for where, expected, found in connection.rows(query)
        ]
        findings += [
            Finding("the database file is intact", "xinghe.db", "ok", str(message))
            for (message,) in connection.rows("PRAGMA quick_check")
            if message != "ok"
        ]
        findings += [
            Finding("every reference leads somewhere", f"{table} row {row}", parent, "nothing")
            for table, row, parent, _ in connection.rows("PRAGMA foreign_key_check")
        ]
    return findings
