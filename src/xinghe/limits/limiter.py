"""Admission of a request by the limits of its account."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.limits.errors import RateLimited
from xinghe.limits.headers import Headers, rate_limit_headers
from xinghe.limits.local import LocalStore
from xinghe.limits.quota import per_minute, per_second
from xinghe.limits.store import Ask, Store

_MILLISECOND = 1_000_000


class Limiter:
    """RPM and TPM for an account and a model, QPS for an account; see `quota` for the algorithm."""

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
        return Admission(self._store, asks, mark, deficits)


class Admission:
    """A request that was let in; whoever asked for it must settle it, whatever came of it."""

    __slots__ = ("_asks", "_deficits", "_mark", "_settled", "_store")

    def __init__(
        self, store: Store, asks: Sequence[Ask], mark: int, deficits: Sequence[int]
    ) -> None:
        self._store = store
        self._asks = asks
        self._mark = mark
        self._deficits = deficits
        self._settled = False

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

    def headers(self) -> Headers:
        """`X-Ratelimit-*` as of the admission, the estimate taken."""
        after = [
            deficit + amount * quota.unit
            for (_, quota, amount), deficit in zip(self._asks, self._deficits, strict=True)
        ]
        return rate_limit_headers(self._asks, after)


def _refusal(asks: Sequence[Ask], deficits: Sequence[int]) -> RateLimited:
    """The wait is that for the slowest limit: by then the others have what is asked as well."""
    waits = [
        quota.wait(deficit, amount)
        for (_, quota, amount), deficit in zip(asks, deficits, strict=True)
    ]
    longest = max(waits)
    quota = asks[waits.index(longest)][1]
    retry_after = -(-longest // _MILLISECOND) / 1000
    return RateLimited(quota.kind, quota.limit, retry_after, rate_limit_headers(asks, deficits))
