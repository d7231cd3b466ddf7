"""The audit log: who did what to what, when, with what was there before and after."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import audit
from xinghe.admin.operation import Call
from xinghe.admin.shapes import Listing, Paging, Told, told
from xinghe.api.query import Time, Zone, moment, zone_of

Word = Annotated[str, Meta(min_length=1, max_length=80)]


class AuditRow(msgspec.Struct, kw_only=True):
    """What was done. `actor` is a member's id, or `cli:` and a user of the machine, or `server`;
    `subject` a member's, token's, group's (`group-3`) or budget's (`budget-3`) id.
    """

    id: int
    object: Literal["audit"] = "audit"
    at: Told
    actor: str
    action: str
    subject: str
    detail: str
    before: Any
    after: Any


class AuditLog(Listing):
    data: list[AuditRow]


class AuditQuery(Paging):
    """The newest first: from `since` on, before `until`."""

    actor: Word | None = None
    subject: Word | None = None
    action: Word | None = None
    since: Time | None = None
    until: Time | None = None
    zone: Zone = "UTC"


async def list_(call: Call[AuditQuery]) -> AuditLog:
    given, zone = call.given, zone_of(call.given.zone)
    filters = audit.Filters(given.subject, given.actor, given.action)
    for name in ("since", "until"):
        if (value := getattr(given, name)) is not None:
            at = moment(name, value, zone, end=name == "until")
            filters = msgspec.structs.replace(filters, **{name: at})
    found = await call.services.database.read(
        lambda c: audit.page(c, filters, given.behind, given.limit)
    )
    after = None if found.next is None else str(found.next)
    data = [_view(each) for each in found.rows]
    return AuditLog(data=data, has_more=after is not None, next=after)


def _view(row: audit.Row) -> AuditRow:
    return AuditRow(
        id=row.id,
        at=told(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
        before=_json(row.before),
        after=_json(row.after),
    )


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.Raw(text.encode())
