"""`xinghe order events`: what payment providers have told, and what somebody has to look at."""

from typing import Any

import click

from xinghe.cli.common import moment, show, shown_options, transact
from xinghe.sales import orders
from xinghe.sales.payment import Row, events
from xinghe.settings import Settings
from xinghe.storage import Connection


@click.command("events")
@click.argument("number", metavar="[ORDER]", required=False)
@click.option("--all", "everything", is_flag=True, help="Those as well that went as they should.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@shown_options
def order_events(
    *, number: str | None, everything: bool, limit: int, data: str | None, as_json: bool
) -> None:
    """List what payment providers have told of ORDER, the newest first.

    Without ORDER, only what somebody has to look at: another amount (mismatch), a second payment
    (overpaid), an order that there is not, or that is another provider's (unknown).
    """

    def operation(connection: Connection, _: Settings) -> list[dict[str, Any]]:
        order_id = None if number is None else orders.numbered(connection, number.upper()).id
        alarming = number is None and not everything
        found = events(connection, order_id=order_id, alarming=alarming, limit=limit)
        return [_shown(each) for each in found]

    show(transact(data, operation, write=False), as_json=as_json)


def _shown(row: Row) -> dict[str, Any]:
    return {
        "at": moment(row.at),
        "outcome": row.outcome,
        "order": row.number,
        "provider": row.provider,
        "type": row.kind,
        "reference": row.reference,
        "amount": row.amount,
        "currency": row.currency,
        "id": row.event_id,
    }
