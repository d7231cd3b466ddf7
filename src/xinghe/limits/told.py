"""What a client is told of its limits: the headers, and how long to wait."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinghe.limits.quota import MILLISECOND, Ask, Headers, Quota, RateLimited

_NAMES = {"rpm": "Requests", "tpm": "Tokens"}


class Look(msgspec.Struct):
    """What an ask finds: its bucket's deficit before and, if it were granted, after."""

    ask: Ask
    before: int
    after: int


def refusal(looks: Sequence[Look]) -> RateLimited:
    """The wait is that for the slowest limit: by then the others have what is asked as well."""
    waits = [-((look.ask.quota.capacity - look.after) // look.ask.quota.refill) for look in looks]
    longest = max(waits)
    ask = looks[waits.index(longest)].ask
    retry_after = -(-longest // MILLISECOND) / 1000
    told = headers([(each.ask.quota, each.before) for each in looks])
    return RateLimited(ask.quota.kind, ask.quota.limit, ask.scope, retry_after, told)


def headers(deficits: Sequence[tuple[Quota, int]]) -> Headers:
    """Limit, remaining and reset (the time until all of it is there again) of RPM and TPM.

    Each is of the limit that has least remaining, and of such of the one that is full last. What
    has no limit has no headers; QPS has none at all.
    """
    tightest: dict[str, tuple[int, int, int]] = {}
    for quota, deficit in deficits:
        name = _NAMES.get(quota.kind)
        if name is not None:
            told = (quota.left(deficit), deficit // -quota.refill, quota.limit)
            tightest[name] = min(told, tightest.get(name, told))
    found = []
    for name, (remaining, reset, limit) in tightest.items():
        found += [
            (f"X-Ratelimit-Limit-{name}", str(limit)),
            (f"X-Ratelimit-Remaining-{name}", str(remaining)),
            (f"X-Ratelimit-Reset-{name}", duration(-reset)),
        ]
    return found


def duration(nanoseconds: int) -> str:
    """As in `20ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`; rounded up to the millisecond."""
    millis = -(-nanoseconds // MILLISECOND)
    if 0 < millis < 1000:
        return f"{millis}ms"
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{millis / 1000:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
