"""The attempts of one request, and what is concluded from all of them together."""

from __future__ import annotations

from typing import Protocol

from xinghe.outbound.faults import CallFailed, Lost, Refused, Unreachable
from xinghe.outbound.replicas.affinity import Head
from xinghe.outbound.replicas.attempt import Attempt, Pooled
from xinghe.outbound.replicas.keys import Key
from xinghe.outbound.replicas.replica import Replica

SOONEST = 1.0
"""Seconds that a client is told to wait at least."""


class Away(CallFailed):
    """No replica could be tried, or is left to be; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = max(SOONEST, retry_after)


class UsedUp(Refused):
    """All replicas are full, or all keys used up; `advice` is when the first is not, in seconds."""

    def __init__(self, advice: float) -> None:
        super().__init__(429, b"", max(SOONEST, advice))
        self.args = ("its replicas are full, or its keys used up",)


class Picking(Pooled, Protocol):
    """What a round asks its pool."""

    def pick(
        self, head: Head | None, tokens: int, tried: set[Replica], keys: set[Key]
    ) -> tuple[Replica, Key] | None:
        """Whom to try next, and with which key; `None` for nobody."""

    def went(self, head: Head | None, replica: Replica, *, well: bool) -> None:
        """What begins so was answered there, or failed there."""

    def why_nobody(self, tokens: int) -> CallFailed:
        """What keeps all replicas from being tried now."""


class Round:
    """The attempts of one request: no replica is tried twice, and no key that was refused."""

    def __init__(self, pool: Picking, head: Head | None, tokens: int) -> None:
        self.pool = pool
        self.tokens = tokens
        self._head = head
        self._tried = set[Replica]()
        self._keys = set[Key]()
        self._suspected: list[tuple[Replica, int, CallFailed]] = []
        self._is_full = False
        """One of them said that it is: it is there, and will have room."""

    def first(self) -> Attempt:
        """Raises `Away`, `UsedUp`; `Broken` where no key has a value."""
        attempt = self._next()
        if attempt is None:
            raise self.pool.why_nobody(self.tokens)
        return attempt

    def goes_on(self, attempt: Attempt, error: CallFailed) -> bool:
        """Whether another attempt follows one that has failed so."""
        about_key = (
            isinstance(error, Refused)
            and (error.for_the_operator or error.status == 429)
            and len(attempt.replica.keys.keys) > 1
        )
        if about_key:
            self._keys.add(attempt.key)
        else:
            self._tried.add(attempt.replica)
        is_full = isinstance(error, Refused) and error.busy
        self._is_full = self._is_full or is_full
        attempt.next = self._next()
        if attempt.next is not None:
            return True
        alone = not self.pool.several and len(attempt.replica.keys.keys) == 1
        if self._is_full and not alone:
            raise self.pool.why_nobody(self.tokens) from None
        if _is_unreachable(error) and (
            self.pool.several or attempt.replica.breaker.state != "closed"
        ):
            raise Away(str(error), SOONEST) from None
        return False

    def went(self, replica: Replica, *, well: bool) -> None:
        """It has begun to answer, or has failed by its own fault or the request's."""
        self.pool.went(self._head, replica, well=well)

    def suspect(self, replica: Replica, ticket: int, error: CallFailed) -> None:
        """It has answered that it failed: its own fault where another replica does better, or where
        it does not answer a probe either.
        """
        replica.breaker.doubted(ticket)
        replica.suspected.set()
        self._suspected.append((replica, ticket, error))

    def fault_was_theirs(self) -> None:
        """A replica has done what others failed at."""
        now = self.pool.clock()
        for replica, ticket, error in self._suspected:
            replica.failed(ticket, now, error, certain=False)
            self.pool.changed(replica, now, error)
        self._suspected.clear()

    def _next(self) -> Attempt | None:
        found = self.pool.pick(self._head, self.tokens, self._tried, self._keys)
        return found and Attempt(self, *found, self.pool.clock())


def _is_unreachable(error: CallFailed) -> bool:
    failing = isinstance(error, Refused) and (error.status >= 500 or error.status == 408)
    return failing or isinstance(error, Unreachable | Lost)
