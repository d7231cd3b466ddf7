"""Admission of a request by the limits of its account, and the headers that tell of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinghe.limits.buckets import Ask, LimitKind, LocalStore, Store, per_minute, per_second

Headers = list[tuple[str, str]]

_NAMES = {"rpm": "Requests", "tpm": "Tokens"}
_MILLISECOND = 1_000_000


class RateLimited(Exception):
    """One of an account's limits is reached; the request took nothing of any of them.

    `retry_after` is in seconds, to the millisecond: whoever waits that long and tries again is
    admitted, unless somebody else of the account took it meanwhile. `kind` and `limit` are those
    of the limit that takes longest; a fractional QPS is rounded up in `limit`.
    """

    def __init__(self, kind: LimitKind, limit: int, retry_after: float, headers: Headers) -> None:
        super().__init__(f"{kind} limit of {limit} reached, try again in {retry_after:g} s")
        self.kind = kind
        self.limit = limit
        self.retry_after = retry_after
        self.headers = headers
        """As `Admission.headers`."""


class Limiter:
    """RPM and TPM for an account and a model, QPS for an account; the algorithm is in `buckets`."""

    def __init__(self, store: Store | None = None) -> None:
        self._store: Store = LocalStore() if store is None else store

    def admit(
        self, account_id: int, model: str, *, rpm: int, tpm: int, qps: float, tokens: int
    ) -> Admission:
        """Take one request and an estimate of `tokens`, all or nothing.

        A limit of 0 is none. An estimate beyond what the TPM allow at once counts as all of that:
        it would never be admitted otherwise. Raises `RateLimited`, and `ValueError` for a limit
        or an estimate that makes no sense.
        """
        asks: list[Ask] = []
        if qps:
            asks.append((("qps", account_id, ""), per_second(qps), 1))
        if rpm:
            asks.append((("rpm", account_id, model), per_minute("rpm", rpm), 1))
        if tpm:
            if tokens < 0:
                raise ValueError(f"tokens: {tokens} is not allowed: 0 or more")
            quota = per_minute("tpm", tpm)
            asks.append((("tpm", account_id, model), quota, min(tokens, quota.items)))
        mark, deficits = self._store.take(asks)
        if not mark:
            raise _refusal(asks, deficits)
        after = [
            deficit + amount * quota.unit
            for (_, quota, amount), deficit in zip(asks, deficits, strict=True)
        ]
        return Admission(_headers(asks, after), self._store, asks, mark)


class Admission(msgspec.Struct):
    """A request that was let in; whoever asked for it must settle it, whatever came of it.

    `headers` are the `X-Ratelimit-*` as of the admission, the estimate taken.
    """

    headers: Headers
    _store: Store
    _asks: Sequence[Ask]
    _mark: int
    _settled: bool = False

    def settle(self, used_tokens: int) -> None:
        """Replace the estimate by what was used; a second call does nothing.

        Using more than the estimate is a debt, which the account's next requests wait for.
        """
        if self._settled:
            return
        self._settled = True
        for ask in self._asks:
            if ask[1].returnable:
                self._store.settle(ask, self._mark, max(0, used_tokens))


def _refusal(asks: Sequence[Ask], deficits: Sequence[int]) -> RateLimited:
    """The wait is that for the slowest limit: by then the others have what is asked as well."""
    waits = [
        quota.wait(deficit, amount)
        for (_, quota, amount), deficit in zip(asks, deficits, strict=True)
    ]
    longest = max(waits)
    quota = asks[waits.index(longest)][1]
    retry_after = -(-longest // _MILLISECOND) / 1000
    return RateLimited(quota.kind, quota.limit, retry_after, _headers(asks, deficits))


def _headers(asks: Sequence[Ask], deficits: Sequence[int]) -> Headers:
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
