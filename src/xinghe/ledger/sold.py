"""The proof of what was sold: orders, codes, refunds and transfers against lots and entries.

Each rule is a query that finds what breaks it: where, what it should be, what it is.
"""

from collections.abc import Iterator

from xinghe.storage import Connection

RULES = {
    "a paid order was credited once, as it was ordered": """
        SELECT 'order ' || o.number, o.amount || ' to wallet ' || o.wallet_id,
            coalesce(l.kind || ' of ' || l.amount || ' to wallet ' || l.wallet_id, 'nothing')
        FROM orders o LEFT JOIN lots l ON l.id = o.lot_id
        WHERE o.state = 'paid' AND (l.id IS NULL OR l.kind != 'purchase'
            OR l.wallet_id != o.wallet_id OR l.amount != o.amount
            OR l.models IS DISTINCT FROM o.models)""",
    "a purchased lot is of one paid order": """
        SELECT 'lot ' || l.id, 'a paid order', 'none'
        FROM lots l WHERE l.kind = 'purchase' AND NOT EXISTS (
            SELECT 1 FROM orders o WHERE o.lot_id = l.id AND o.state = 'paid')""",
    "a payment that was credited has paid its order": """
        SELECT 'event ' || e.id, 'an order paid by ' || e.reference,
            coalesce(o.state || coalesce(' by ' || o.reference, ''), 'no order')
        FROM payment_events e LEFT JOIN orders o ON o.id = e.order_id
        WHERE e.outcome = 'paid' AND (o.id IS NULL OR o.state != 'paid'
            OR o.reference != e.reference)""",
    "a code was credited as its batch says": """
        SELECT 'code ' || c.number || ' of batch ' || c.batch_id,
            b.amount || ' to wallet ' || c.wallet_id,
            coalesce(l.kind || ' of ' || l.amount || ' to wallet ' || l.wallet_id, 'nothing')
        FROM codes c JOIN code_batches b ON b.id = c.batch_id LEFT JOIN lots l ON l.id = c.lot_id
        WHERE c.redeemed_at IS NOT NULL AND (l.id IS NULL OR l.kind != 'code'
            OR l.wallet_id != c.wallet_id OR l.amount != b.amount
            OR l.models IS DISTINCT FROM b.models)""",
    "a redeemed lot is of one code": """
        SELECT 'lot ' || l.id, 'a redeemed code', 'none'
        FROM lots l WHERE l.kind = 'code' AND NOT EXISTS (
            SELECT 1 FROM codes c WHERE c.lot_id = l.id)""",
    "a batch has its codes, and knows how many are redeemed": """
        SELECT 'batch ' || b.id, b.redeemed || ' of ' || b.count,
            coalesce(c.redeemed, 0) || ' of ' || coalesce(c.codes, 0)
        FROM code_batches b LEFT JOIN (
            SELECT batch_id, count(*) AS codes, count(redeemed_at) AS redeemed
            FROM codes GROUP BY batch_id
        ) c ON c.batch_id = b.id
        WHERE b.count > 0 AND b.count != coalesce(c.codes, 0)
            OR b.redeemed != coalesce(c.redeemed, 0)""",
    "what was refunded of an order was paid and is not spent": """
        SELECT 'order ' || o.number,
            'at most ' || coalesce(l.amount - l.remaining, 0) || ' for ' || o.price,
            r.amount || ' for ' || r.price
        FROM (
            SELECT order_id, sum(amount) AS amount, sum(price) AS price
            FROM refunds GROUP BY order_id
        ) r JOIN orders o ON o.id = r.order_id LEFT JOIN lots l ON l.id = o.lot_id
        WHERE o.state != 'paid' OR r.price > o.price OR r.amount > l.amount - l.remaining""",
    "the refunds of a wallet are those of its orders": """
        SELECT 'wallet ' || t.wallet_id, t.due, t.booked FROM (
            SELECT u.wallet_id, sum(u.due) AS due, sum(u.booked) AS booked FROM (
                SELECT o.wallet_id, r.amount AS due, 0 AS booked
                FROM refunds r JOIN orders o ON o.id = r.order_id
                UNION ALL
                SELECT e.wallet_id, 0, -e.amount FROM entries e
                WHERE e.kind <> 'usage' AND e.kind = 'refund'
            ) u GROUP BY u.wallet_id
        ) t WHERE t.due != t.booked""",
    "what was transferred left one wallet and came into the other": """
        SELECT 'wallet ' || t.wallet_id, t.due, t.booked FROM (
            SELECT u.wallet_id, sum(u.due) AS due, sum(u.booked) AS booked FROM (
                SELECT source_id AS wallet_id, -amount AS due, 0 AS booked FROM transfers
                UNION ALL SELECT target_id, amount, 0 FROM transfers
                UNION ALL
                SELECT e.wallet_id, 0, e.amount FROM entries e
                WHERE e.kind <> 'usage' AND e.kind = 'transfer'
            ) u GROUP BY u.wallet_id
        ) t WHERE t.due != t.booked""",
}


def disagreements(connection: Connection, limit: int) -> Iterator[tuple[str, str, str, str]]:
    """Rule, where, expected and found of at most `limit` findings of each rule."""
    for rule, query in RULES.items():
        for where, expected, found in connection.rows(f"{query} LIMIT {limit:d}"):
            yield rule, where, str(expected), str(found)
