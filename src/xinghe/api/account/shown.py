"""What the usage details say, in the forms of `schema`: Tokens for micro-Tokens, names for ids."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from xinghe.api.account.schema import EntryShown, FailedShown, RequestShown, UsageShown
from xinghe.api.query import in_zone
from xinghe.core import MICRO, tokens
from xinghe.usage.failed import Row
from xinghe.usage.lines import Line
from xinghe.usage.requests import Failure, Hold, Running
from xinghe.usage.series import Bucket, Dimension

Names = Mapping[str, Mapping[int, tuple[str, ...]]]
"""By dimension and id."""


def told(at: int, zone: ZoneInfo) -> str:
    """A moment in microseconds as ISO 8601, to the millisecond."""
    second, micro = divmod(at, MICRO)
    time = datetime.datetime.fromtimestamp(second, datetime.UTC).replace(microsecond=micro)
    text = in_zone(time, zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


_AS_BOOKED = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
    "searches", "wait_ms", "first_ms", "total_ms", "finish", "note", "token", "token_name",
    "member_name", "model",
)  # fmt: skip
_RATES = ("input_rate", "output_rate", "cached_rate", "search_rate")


def _booked(line: Line, group: str | None) -> dict[str, Any]:
    """What an entry and its request tell alike."""
    told = {name: getattr(line, name) for name in _AS_BOOKED}
    for name in _RATES:
        rate = getattr(line, name)
        told[name] = None if rate is None else tokens(rate)
    return told | {"group": group, "member": line.appid}


def entry(line: Line, zone: ZoneInfo, groups: Mapping[int, str], *, manages: bool) -> EntryShown:
    group = groups.get(line.wallet_id)
    return EntryShown(
        id=line.id,
        at=told(line.at, zone),
        kind=line.kind,
        amount=tokens(line.amount),
        balance_after=tokens(line.balance_after) if group is None or manages else None,
        request_id=line.request_id,
        **_booked(line, group),
    )


def failed(row: Row, zone: ZoneInfo, groups: Mapping[int, str]) -> FailedShown:
    return FailedShown(
        id=row.request_id,
        at=told(row.at, zone),
        outcome=row.code,
        status=row.status,
        operation=row.operation,
        model=row.model or None,
        group=groups.get(row.wallet_id),
        member=row.appid,
        member_name=row.member_name,
        token=row.token,
        token_name=row.token_name,
        total_ms=row.total_ms,
    )


def bucket(each: Bucket, by: tuple[Dimension, ...], zone: ZoneInfo, names: Names) -> UsageShown:
    key = dict(zip(by, each.key, strict=True))

    def called(what: Dimension) -> tuple[str | None, ...]:
        found = names[what].get(int(key[what]), ()) if what in key else ()
        return found or (None, None)

    token, member = called("token"), called("member")
    charged = each.charged
    first = charged.first_ms / charged.timed if charged.timed else None
    took = charged.total_ms - charged.first_ms
    return UsageShown(
        since=told(each.since, zone),
        until=told(each.until, zone),
        model=str(key["model"]) if "model" in key else None,
        token=token[0],
        token_name=token[1],
        member=member[0],
        member_name=member[1],
        group=called("group")[0],
        requests=charged.requests + sum(each.errors.values()),
        prompt_tokens=charged.prompt_tokens,
        completion_tokens=charged.completion_tokens,
        cached_tokens=charged.cached_tokens,
        reasoning_tokens=charged.reasoning_tokens,
        searches=charged.searches,
        spent=tokens(charged.spend),
        first_token_ms=None if first is None else round(first, 1),
        tokens_per_second=round(charged.timed_tokens * 1000 / took, 2) if took > 0 else None,
        timed_requests=charged.timed,
        generation_ms=took,
        errors=each.errors,
    )


def request(
    request_id: str,
    found: tuple[Line, Hold | None] | Running | Failure,
    zone: ZoneInfo,
    groups: Mapping[int, str],
) -> RequestShown:
    if isinstance(found, tuple):
        return _charged(request_id, *found, zone, groups)
    at = found.hold.created_at if isinstance(found, Running) else found.at
    shown = RequestShown(
        id=request_id,
        at=told(at, zone),
        outcome="running",
        model=found.model or None,
        group=groups.get(found.wallet_id),
        member=found.appid,
        member_name=found.member_name,
        token=found.token,
        token_name=found.token_name,
    )
    if isinstance(found, Running):
        shown.stream, shown.held = found.hold.stream, tokens(found.hold.amount)
    else:
        shown.outcome, shown.status = found.code, found.status
        shown.operation, shown.total_ms = found.operation, found.total_ms
    return shown


def _charged(
    request_id: str, line: Line, hold: Hold | None, zone: ZoneInfo, groups: Mapping[int, str]
) -> RequestShown:
    fresh = (line.prompt_tokens - line.cached_tokens) * (line.input_rate or 0)
    cached = line.cached_tokens * (line.cached_rate or 0)
    output = line.completion_tokens * (line.output_rate or 0)
    search = line.searches * (line.search_rate or 0)
    return RequestShown(
        id=request_id,
        at=told(line.at, zone),
        outcome="charged",
        stream=None if hold is None else hold.stream,
        held=None if hold is None else tokens(hold.amount),
        cost=tokens(-line.amount),
        input_cost=tokens(fresh),
        cached_cost=tokens(cached),
        output_cost=tokens(output),
        search_cost=tokens(search),
        not_charged=tokens(fresh + cached + output + search + line.amount),
        **_booked(line, groups.get(line.wallet_id)),
    )
