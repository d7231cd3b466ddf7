"""Reading the books: the entries, and the proof that all of it agrees.

Every invariant is one query that finds what breaks it. Both databases understand it.
"""

import msgspec

from xinghe.storage import Connection

_COLUMNS = (
    "e.id, a.name, e.at, e.kind, e.amount, e.balance_after, e.request_id, e.hold_id, e.model, "
    "e.token_id, e.token_name, e.prompt_tokens, e.completion_tokens, e.cached_tokens, "
    "e.search_tokens, e.searches, e.input_rate, e.output_rate, e.cached_rate, e.search_rate, "
    "e.note"
)

PORTION = 2_000_000
"""Rows that one statement reads: while it runs, SQLite can't begin its write-ahead log anew."""
MOST = 1000
"""Findings of one statement: books that are off throughout need not be told line by line."""

_OF_EACH = {
    "entries": (
        0,
        "each entry's balance follows from the one before",
        """
        SELECT 'entry ' || c.id, c.expected, c.balance_after FROM (
            SELECT e.id, e.balance_after, e.amount + coalesce(
                lag(e.balance_after) OVER (PARTITION BY e.account_id ORDER BY e.id),
                (SELECT p.balance_after FROM entries p
                 WHERE p.account_id = e.account_id AND p.id <= $1 ORDER BY p.id DESC LIMIT 1),
                0) AS expected
            FROM entries e WHERE e.id > $1 AND e.id <= $2
        ) c WHERE c.expected != c.balance_after""",
    ),
    "holds": (
        "",
        "a captured hold was charged once, what its counts cost, at most its amount; others never",
        """
        SELECT 'hold ' || c.id || ' (' || c.state || ')',
            coalesce(c.due || ' from account ' || c.account_id, 'nothing'),
            coalesce(c.charged || ' from account ' || c.payer, 'nothing')
        FROM (
            SELECT h.id, h.state, h.account_id, e.account_id AS payer, -e.amount AS charged,
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
        ) c WHERE c.due IS DISTINCT FROM c.charged OR c.payer != c.account_id""",
    ),
}
"""By table: what lies before the first id, and the rule of its rows, from one id to another.

What is written there once stays; so it may be read piece by piece.
"""

_OF_ACCOUNTS = {
    # Which the last one says, where each follows from the one before.
    "the balance is the sum of the entries": """
        SELECT 'account ' || c.name, c.expected, c.balance FROM (
            SELECT a.name, a.available + a.held AS balance, coalesce(
                (SELECT e.balance_after FROM entries e WHERE e.account_id = a.id
                 ORDER BY e.id DESC LIMIT 1), 0) AS expected
            FROM accounts a
        ) c WHERE c.expected != c.balance""",
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
        SELECT 'account ' || name, 'at least 0',
            CASE WHEN available < 0 THEN available ELSE held END
        FROM accounts WHERE available < 0 OR held < 0""",
    "a cap counts what its token spent in the period": """
        SELECT 'token ' || c.token_id, coalesce(e.total, 0), c.spent
        FROM caps c LEFT JOIN (
            SELECT u.token_id, -sum(u.amount) AS total
            FROM entries u JOIN caps p ON p.token_id = u.token_id AND u.at >= p.since
            WHERE u.kind = 'usage' GROUP BY u.token_id
        ) e ON e.token_id = c.token_id
        WHERE coalesce(e.total, 0) != c.spent""",
    # From the open holds on: an index leads to those, but to a token's only through all of it.
    "a cap counts what its token holds": """
        SELECT 'token ' || t.token_id, sum(t.amount), sum(t.held) FROM (
            SELECT token_id, 0 AS amount, held FROM caps
            UNION ALL SELECT h.token_id, h.amount, 0
            FROM holds h CROSS JOIN caps c WHERE h.state = 'open' AND c.token_id = h.token_id
        ) t GROUP BY t.token_id HAVING sum(t.amount) != sum(t.held)""",
    "every lot came with its entry": """
        SELECT 'account ' || a.name, t.booked, t.given FROM (
            SELECT u.account_id, sum(u.booked) AS booked, sum(u.given) AS given FROM (
                SELECT account_id, amount AS booked, 0 AS given FROM entries WHERE amount > 0
                UNION ALL SELECT account_id, 0, amount FROM lots
            ) u GROUP BY u.account_id
        ) t JOIN accounts a ON a.id = t.account_id WHERE t.booked != t.given""",
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
    query = f"SELECT {_COLUMNS} FROM entries e JOIN accounts a ON a.id = e.account_id "  # noqa: S608
    if account_id is None:
        rows = connection.rows(f"{query} ORDER BY e.id DESC LIMIT {limit:d}")
    else:
        # As a range: for one value, PostgreSQL may go through the entries of all by their ids.
        rows = connection.rows(
            f"{query} WHERE e.account_id BETWEEN $1 AND $1 "
            f"ORDER BY e.account_id DESC, e.id DESC LIMIT {limit:d}",
            account_id,
        )
    return [Entry(*row) for row in rows]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is off: which rule, where, and the figures (micro-Tokens or a count)."""

    rule: str
    where: str
    expected: str
    found: str


def check(connection: Connection) -> list[Finding]:
    """Everything that is off; an empty list proves the books, up to a moment during the check.

    It holds nobody up, and may take a minute for 10,000,000 entries.
    """
    findings: list[Finding] = []

    def hold_to(rule: str, query: str, *parameters: object) -> None:
        for where, expected, found in connection.rows(f"{query} LIMIT {MOST}", *parameters):
            findings.append(Finding(rule, where, str(expected), str(found)))

    read: dict[str, object] = {}
    for table, (first, rule, query) in _OF_EACH.items():
        read[table] = first
        following = f"SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2"  # noqa: S608
        while upto := connection.value(following, read[table], PORTION):
            hold_to(rule, query, read[table], upto)
            read[table] = upto
    with connection.snapshot():
        for table, (_, rule, query) in _OF_EACH.items():
            newest = connection.value(f"SELECT max(id) FROM {table}")  # noqa: S608
            if newest is not None:
                hold_to(rule, query, read[table], newest)
        for rule, query in _OF_ACCOUNTS.items():
            hold_to(rule, query)
    if connection.dialect == "sqlite":
        findings += _file(connection)
    return findings


def _file(connection: Connection) -> list[Finding]:
    """What PostgreSQL keeps to by itself: its pages have checksums, its references are held."""
    return [
        Finding("the database file is intact", "xinghe.db", "ok", str(message))
        for (message,) in connection.rows("PRAGMA quick_check")
        if message != "ok"
    ] + [
        Finding("every reference leads somewhere", f"{table} row {row}", parent, "nothing")
        for table, row, parent, _ in connection.rows("PRAGMA foreign_key_check")
    ]
