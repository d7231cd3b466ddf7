"""`xinghe audit`: who did what, when."""

from functools import partial

import click

from xinghe.accounts import audit as log
from xinghe.accounts.audit import EVER, Filters, Row
from xinghe.api.errors import ApiError
from xinghe.api.query import moment as read_moment
from xinghe.api.query import zone_of
from xinghe.cli.common import moment, run, show, shown_options
from xinghe.storage import Database

AT_ONCE = 500


@click.command()
@click.option("--subject", metavar="ID", help="Only of a member, token, group-N or budget-N.")
@click.option("--actor", metavar="WHO", help="Only by a member (app-…), cli:USER or server.")
@click.option("--action", metavar="WHAT", help="Only one kind of action: wallet.grant, say.")
@click.option("--from", "since", metavar="TIME", help="From a day or a time on (UTC).")
@click.option("--to", "until", metavar="TIME", help="To the end of a day, or before a time (UTC).")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@shown_options
def audit(
    *,
    subject: str | None,
    actor: str | None,
    action: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    data: str | None,
    as_json: bool,
) -> None:
    """List what was changed, by whom, with what was there before and after; the newest first."""
    try:
        begin = 0 if since is None else read_moment("--from", since, zone_of("UTC"))
        end = EVER if until is None else read_moment("--to", until, zone_of("UTC"), end=True)
    except ApiError as error:
        raise click.UsageError(error.message) from error
    filters = Filters(subject, actor, action, begin, end)

    async def rows(database: Database) -> list[Row]:
        found: list[Row] = []
        behind: int | None = 0
        while behind is not None and len(found) < limit:
            at_most = min(limit - len(found), AT_ONCE)
            page = await database.read(
                partial(log.page, filters=filters, behind=behind, limit=at_most)
            )
            found += page.rows
            behind = page.next
        return found

    show(
        [
            {
                "id": row.id,
                "at": moment(row.at),
                "actor": row.actor,
                "action": row.action,
                "subject": row.subject,
                "detail": row.detail,
                "before": row.before,
                "after": row.after,
            }
            for row in run(data, rows)
        ],
        as_json=as_json,
    )
