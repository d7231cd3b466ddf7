"""What the usage details say, in the forms of `schema`: Tokens for micro-Tokens, names for ids."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from zoneinfo import ZoneInfo

from xinghe.api.account.schema import EntryShown, RequestShown, UsageShown
from xinghe.core import MICRO, tokens
from xinghe.usage.entries import Line
from xinghe.usage.requests import Failure, Hold, Running
from xinghe.usage.series import Bucket, Dimension

Names = Mapping[str, Mapping[int, tuple[str, ...]]]
"""By dimension and id."""


def told(at: int, zone: ZoneInfo) -> str:
    """A moment in microseconds as ISO 8601, to the millisecond."""
    second, micro = divmod(at, MICRO)
    time = datetime.datetime.fromtimestamp(second, zone).replace(microsecond=micro)
    text = time.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def entry(line: Line, zone: ZoneInfo, groups: Mapping[int, str], *, manages: bool) -> EntryShown:
    group = groups.get(line.wallet_id)
    return EntryShown(
        id=line.id,
        at=told(line.at, zone),
        kind=line.kind,
        amount=tokens(line.amount),
        balance_after=tokens(line.balance_after) if group is None or manages else None,
        group=group,
        member=line.appid,
        member_name=line.member_name,
        token=line.token,
        token_name=line.token_name,
        request_id=line.request_id,
        model=line.model,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        cached_tokens=line.cached_tokens,
        reasoning_tokens=line.reasoning_tokens,
        search_tokens=line.search_tokens,
        searches=line.searches,
        input_rate=_rate(line.input_rate),
        output_rate=_rate(line.output_rate),
        cached_rate=_rate(line.cached_rate),
        search_rate=_rate(line.search_rate),
        wait_ms=line.wait_ms,
        first_ms=line.first_ms,
        total_ms=line.total_ms,
        finish=line.finish,
        note=line.note,
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
        errors=each.errors,
    )


def request(
    request_id: str,
    found: tuple[Line, Hold | None] | Running | Failure,
    zone: ZoneInfo,
    groups: Mapping[int, str],
) -> RequestShown:
    match found:
        case Running():
            return RequestShown(
                id=request_id,
                at=told(found.hold.created_at, zone),
                outcome="running",
                model=found.model,
                stream=found.hold.stream,
                held=tokens(found.hold.amount),
                group=groups.get(found.wallet_id),
                member=found.appid,
                member_name=found.member_name,
                token=found.token,
                token_name=found.token_name,
            )
        case Failure():
            return RequestShown(
                id=request_id,
                at=told(found.at, zone),
                outcome=found.code,
                status=found.status,
                operation=found.operation,
                model=found.model or None,
                total_ms=found.total_ms,
                group=groups.get(found.wallet_id),
                member=found.appid,
                member_name=found.member_name,
                token=found.token,
                token_name=found.token_name,
            )
    line, hold = found
    fresh = (line.prompt_tokens - line.cached_tokens) * (line.input_rate or 0)
    cached = line.cached_tokens * (line.cached_rate or 0)
    output = line.completion_tokens * (line.output_rate or 0)
    search = line.searches * (line.search_rate or 0)
    return RequestShown(
        id=request_id,
        at=told(line.at, zone),
        outcome="charged",
        finish=line.finish,
        model=line.model,
        stream=None if hold is None else hold.stream,
        held=None if hold is None else tokens(hold.amount),
        group=groups.get(line.wallet_id),
        member=line.appid,
        member_name=line.member_name,
        token=line.token,
        token_name=line.token_name,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        cached_tokens=line.cached_tokens,
        reasoning_tokens=line.reasoning_tokens,
        search_tokens=line.search_tokens,
        searches=line.searches,
        cost=tokens(-line.amount),
        input_cost=tokens(fresh),
        cached_cost=tokens(cached),
        output_cost=tokens(output),
        search_cost=tokens(search),
        not_charged=tokens(fresh + cached + output + search + line.amount),
        input_rate=_rate(line.input_rate),
        output_rate=_rate(line.output_rate),
        cached_rate=_rate(line.cached_rate),
        search_rate=_rate(line.search_rate),
        wait_ms=line.wait_ms,
        first_ms=line.first_ms,
        total_ms=line.total_ms,
        note=line.note,
    )


def _rate(micro: int | None) -> Decimal | None:
    return None if micro is None else tokens(micro)
