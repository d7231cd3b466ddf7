"""The attempts of one request, and what is concluded from all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, Self

import structlog

from xinghe.outbound.faults import CallFailed, Refused, Whose
from xinghe.outbound.replicas.affinity import Head
from xinghe.outbound.replicas.attempt import Attempt, Pooled
from xinghe.outbound.replicas.keys import Key
from xinghe.outbound.replicas.replica import Replica

log = structlog.get_logger(__name__)

SOONEST = 1.0
"""Seconds that a client is told to wait at least."""


class Away(CallFailed):
    """No replica could be tried, or is left to be; `retry_after` is in seconds."""

    whose = Whose.AWAY

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

    @property
    def name(self) -> str: ...

    def pick(
        self, now: float, head: Head | None, tokens: int, tried: set[Replica], keys: set[Key]
    ) -> tuple[Replica, Key] | None:
        """Whom to try next, and with which key; `None` for nobody."""

    def went(self, head: Head | None, replica: Replica, *, well: bool) -> None:
        """What begins so was answered there, or failed there."""

    def why_nobody(self, now: float, tokens: int) -> CallFailed:
        """What kept all replicas from being tried."""


class Round:
    """The attempts of one request: no replica is tried twice, and no key that was refused, but for
    a server alone.
    """

    def __init__(
        self, pool: Picking, head: Head | None, tokens: int, pauses: Sequence[float]
    ) -> None:
        self.pool = pool
        self.tokens = tokens
        self._head = head
        self._tried = set[Replica]()
        self._keys = set[Key]()
        self._suspected: list[tuple[Replica, int, CallFailed]] = []
        self._picked_at = 0.0
        self._following: Attempt | None = None
        self._pauses = pauses
        """Before each further try of a server that nobody can stand in for, in seconds."""
        self._is_full = False
        """One of them said that it is: it is there, and will have room."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Attempt:
        """Raises `Away`, `UsedUp`; `Broken` where no key has a value."""
        attempt, self._following = self._following or self._pick(), None
        if attempt is None:
            raise self.pool.why_nobody(self._picked_at, self.tokens)
        return attempt

    async def goes_on(self, attempt: Attempt, error: CallFailed) -> bool:
        """Whether another attempt follows one that has failed so."""
        of_key = error.whose is Whose.OPERATOR or (
            isinstance(error, Refused) and error.status == 429
        )
        if of_key and len(attempt.replica.keys.keys) > 1:
            self._keys.add(attempt.key)
        else:
            self._tried.add(attempt.replica)
        self._is_full = self._is_full or error.whose is Whose.FULL
        self._following = self._pick()
        if self._following is not None:
            return True
        alone = not self.pool.several and len(attempt.replica.keys.keys) == 1
        if self._is_full and not alone:
            raise self.pool.why_nobody(self._picked_at, self.tokens) from None
        if error.whose is not Whose.AWAY:
            return False
        if self.pool.several or attempt.replica.breaker.state != "closed":
            raise Away(str(error), SOONEST) from None
        if not self._pauses:
            return False
        # It may be starting anew.
        pause, *self._pauses = self._pauses
        log.warning("tried_again", deployment=self.pool.name, error=str(error), after=pause)
        await asyncio.sleep(pause)
        self._tried.clear()
        self._keys.clear()
        return True

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
            replica.failed(ticket, now, error, alone=False)
            self.pool.changed(replica, now, error)
        self._suspected.clear()

    def _pick(self) -> Attempt | None:
        now = self._picked_at = self.pool.clock()
        found = self.pool.pick(now, self._head, self.tokens, self._tried, self._keys)
        return found and Attempt(self, *found, now)
