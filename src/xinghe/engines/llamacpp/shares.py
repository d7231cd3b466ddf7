"""Equal shares of the engine's tokens, read and written, among the accounts that have work."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

EVEN = 128.0
"""Tokens that make no difference between accounts that wait."""
AGED = 30.0
"""Seconds after which a request that waits is first within its account."""
REMEMBERED = 2.0
"""Seconds for which an account that has no work left counts as one that has: its next request
may be on its way."""

SAVED = 2048.0
"""Tokens by which an account can be behind another when a request comes: who asks for little every
second, or is slow to write, has not saved up the engine for later, nor for who comes then."""


class Waiting(Protocol):
    """A request that waits: for whom, how many tokens it still needs, and since when it waits."""

    @property
    def account(self) -> str: ...
    @property
    def left(self) -> int: ...
    @property
    def since(self) -> float: ...


W = TypeVar("W", bound=Waiting)


class _Share:
    """What an account has had, in tokens, and its requests at work."""

    def __init__(self) -> None:
        self.had = 0.0
        self.working = 0
        self.ended_at = 0.0


class Shares:
    """What each account has had, and which waiting request is first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: dict[str, _Share] = {}

    def begin(self, account: str) -> None:
        """A request of the account is at work. An account without any has saved nothing."""
        self._of = {one: self._of[one] for one in self.accounts()}
        least = max((other.had for other in self._of.values()), default=0.0) - SAVED
        for other in self._of.values():
            other.had = max(other.had, least)
        share = self._of.get(account)
        if share is None:
            share = _Share()
            share.had = min((other.had for other in self._of.values()), default=0.0)
            self._of[account] = share
        share.working += 1

    def end(self, account: str) -> None:
        """A request that has begun is at work no more."""
        share = self._of[account]
        share.working -= 1
        share.ended_at = self._clock()

    def count(self, account: str, tokens: float) -> None:
        """So many tokens are read or written for a request at work."""
        self._of[account].had += tokens

    def ahead(self, account: str, others: Iterable[str]) -> float:
        """By how many tokens it has had more than the one of the others that has had the least."""
        own = self._of[account].had
        behind = (self._of[one].had for one in others if one != account and one in self._of)
        return own - min(behind, default=own)

    def first(self, waiting: Sequence[W]) -> W | None:
        """The next request: of the account that has had the least, the shortest."""
        now = self._clock()
        even = min((self._of[one.account].had for one in waiting), default=0.0) + EVEN
        return min(
            (one for one in waiting if self._of[one.account].had <= even),
            key=lambda one: self._order(one, now),
            default=None,
        )

    def _order(self, one: Waiting, now: float) -> tuple[bool, float]:
        late = now - one.since >= AGED
        return (not late, one.since if late else one.left)

    def accounts(self) -> set[str]:
        """Those that have work, or had some a moment ago."""
        since = self._clock() - REMEMBERED
        return {one for one, share in self._of.items() if share.working or share.ended_at >= since}
