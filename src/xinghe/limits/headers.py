"""The rate limit headers, named and written as OpenAI's are."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.limits.store import Ask

Headers = list[tuple[str, str]]

_NAMES = {"rpm": "Requests", "tpm": "Tokens"}
_MILLISECOND = 1_000_000


def rate_limit_headers(asks: Sequence[Ask], deficits: Sequence[int]) -> Headers:
    """Limit, remaining and reset (the time until all of it is there again) of RPM and TPM.

    A limit that does not exist has no headers; QPS has none at all.
    """
    headers = []
    for (_, quota, _), deficit in zip(asks, deficits, strict=True):
        name = _NAMES.get(quota.kind)
        if name is not None:
            headers += [
                (f"X-Ratelimit-Limit-{name}", str(quota.limit)),
                (f"X-Ratelimit-Remaining-{name}", str(quota.remaining(deficit))),
                (f"X-Ratelimit-Reset-{name}", duration(quota.reset(deficit))),
            ]
    return headers


def duration(nanoseconds: int) -> str:
    """As in `20ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`; rounded up to the millisecond."""
    millis = -(-nanoseconds // _MILLISECOND)
    if 0 < millis < 1000:
        return f"{millis}ms"
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{millis / 1000:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
