"""The attempts of one request, and what their answers and failures tell of replicas and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import structlog

from xinghe.outbound.faults import CallFailed, Lost, Refused, Silent, Whose
from xinghe.outbound.replicas.affinity import Head
from xinghe.outbound.replicas.group import SOONEST, Away, Group
from xinghe.outbound.replicas.keys import REFUSED_FOR, Key
from xinghe.outbound.replicas.replica import LEARNS_AFTER, Replica, nobody_listens
from xinghe.outbound.request import SentRequest
from xinghe.outbound.response import Response

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Attempts:
    """The attempts of one request: no replica is tried twice, and no key that was refused, but for
    a server alone.
    """

    def __init__(
        self, group: Group, head: Head | None, tokens: int, pauses: Sequence[float]
    ) -> None:
        self.group = group
        self.tokens = tokens
        self.head = head
        self._tried = set[Replica]()
        self._keys = set[Key]()
        self.suspected: list[tuple[Replica, int, CallFailed]] = []
        self._picked_at = 0.0
        self._following: Attempt | None = None
        self._pauses = pauses
        """Before each further try of a server that nobody can stand in for, in seconds."""
        self._is_full = False
        """One of them said that it is: it is there, and will have room."""

    def next(self) -> Attempt:
        """Raises `Away`, `UsedUp`."""
        attempt, self._following = self._following or self._pick(), None
        if attempt is None:
            raise self.group.why_nobody(self._picked_at, self.tokens)
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
        alone = not self.group.several and len(attempt.replica.keys.keys) == 1
        if self._is_full and not alone:
            raise self.group.why_nobody(self._picked_at, self.tokens) from None
        if error.whose is not Whose.AWAY:
            return False
        if self.group.several or attempt.replica.breaker.state != "closed":
            raise Away(str(error), SOONEST) from None
        if not self._pauses:
            return False
        # It may be starting anew.
        pause, *self._pauses = self._pauses
        log.warning("tried_again", deployment=self.group.name, error=str(error), after=pause)
        await asyncio.sleep(pause)
        self._tried.clear()
        self._keys.clear()
        return True

    def suspect(self, replica: Replica, ticket: int, error: CallFailed) -> None:
        """It has answered that it failed: its own fault where another replica does better, or where
        it does not answer a probe either.
        """
        replica.breaker.doubted(ticket)
        replica.suspected.set()
        self.suspected.append((replica, ticket, error))

    def fault_was_theirs(self) -> None:
        """A replica has done what others failed at."""
        now = self.group.clock()
        for replica, ticket, error in self.suspected:
            replica.failed(ticket, now, error, alone=False)
            self.group.changed(replica, now, error)
        self.suspected.clear()

    def _pick(self) -> Attempt | None:
        now = self._picked_at = self.group.clock()
        found = self.group.pick(now, self.head, self.tokens, self._tried, self._keys)
        return found and Attempt(self, *found, now)


class Attempt:
    """An asynchronous context manager around one try; see `Pool.attempts`.

    A failure that another replica may not have leaves the block quietly where one is left to try,
    unless the answer has `begun`: from then on somebody may have seen it.
    """

    def __init__(self, attempts: Attempts, replica: Replica, key: Key, now: float) -> None:
        self.replica, self.key = replica, key
        self.begun = False
        self.unseen = False
        """Nobody sees any of the answer before its end, even if it has begun."""
        self._attempts = attempts
        self._server = replica.servers[key]
        self._ticket = replica.breaker.begun(now)
        self._sent = now
        self._asked = replica.words.asked(now)
        self._charge = key.take(now, attempts.tokens)
        replica.at_work[self] = None
        if replica.answers != "always":
            asyncio.get_running_loop().call_later(LEARNS_AFTER, replica.learn)
        replica.requests.inc()
        replica.looked_at = now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        now, replica = self._attempts.group.clock(), self.replica
        del replica.at_work[self]
        self.key.gave_back()
        if error is None:
            replica.breaker.succeeded(self._ticket)
            if not self.begun:
                self._well(now)
            return False
        replica.words.gone(self._asked)
        if isinstance(error, CallFailed):
            replica.count(error)
            self._failed(error, now)
            if not self.begun and error.whose is not Whose.REQUEST:
                return await self._attempts.goes_on(self, error)
        elif self.begun:  # whoever listened had enough of it
            replica.breaker.succeeded(self._ticket)
        else:
            replica.breaker.dropped(self._ticket)
        return False

    def untimed(self) -> None:
        """Its answer begins with its end, which does not tell how fast the replica begins one."""
        self.replica.words.gone(self._asked)

    async def call(self, method: str, path: str, body: object) -> Response:
        """As `Server.call` is."""
        return await self.answer(await self.begin(method, path, body))

    async def begin(self, method: str, path: str, body: object) -> SentRequest:
        """As `Server.begin` is."""
        return await self.unless_lost(self._server.begin(method, path, body))

    async def answer(self, asked: SentRequest) -> Response:
        """As `Server.answer` is."""
        answer = await self.unless_lost(self._server.answer(asked))
        self.replica.at_work[self] = answer
        return answer

    async def whole(self, path: str, body: object, most: int) -> bytes:
        """As `Server.whole` is."""
        return await self.unless_lost(self._server.whole(path, body, most))

    async def ask(self, path: str, body: object, kind: type[T], most: int) -> T:
        """As `Server.ask` is."""
        return await self.unless_lost(self._server.ask(path, body, kind, most))

    async def unless_lost(self, waited_for: Awaitable[T]) -> T:
        """What is waited for; `Lost` once probes find that nobody is there any more."""
        if self.begun and not self.unseen:
            return await waited_for
        limit = asyncio.timeout(None)
        self.replica.waits.add(limit)
        try:
            async with limit:
                return await waited_for
        except TimeoutError:
            if not limit.expired():
                raise
            raise Lost("it does not answer a probe either") from None
        finally:
            self.replica.waits.discard(limit)

    def refused(self, refused: Refused) -> None:
        """The answer is a refusal, whatever its status."""
        self._server.refused(refused)

    def answered(self) -> None:
        """There is something of the answer that somebody may have seen."""
        if self.begun:
            return
        now = self._attempts.group.clock()
        self.begun = True
        self._server.answered()
        self.replica.breaker.answered(self._ticket)
        self._well(now)

    def cost(self, tokens: int) -> None:
        """What it has come to, prompt and answer together."""
        self.key.correct(self._charge, tokens, self._attempts.group.clock())

    def _well(self, now: float) -> None:
        """The first of an answer has come."""
        attempts, replica = self._attempts, self.replica
        self.key.used.refused = False
        replica.answered_at = now
        replica.words.answered(self._asked, now)
        attempts.group.went(attempts.head, replica, well=True)
        if attempts.suspected:
            attempts.fault_was_theirs()
        attempts.group.changed(replica, now)

    def _failed(self, error: CallFailed, now: float) -> None:
        """What is known of the replica and its key from now on."""
        replica, several = self.replica, self._attempts.group.several
        if error.whose in {Whose.REQUEST, Whose.OPERATOR, Whose.FULL}:
            replica.breaker.succeeded(self._ticket)  # it is there, and has answered
            replica.answered_at = now
        if isinstance(error, Refused) and error.whose is Whose.OPERATOR:
            self.key.turned_away(now)
            if len(replica.keys.keys) == 1:  # others may take the same key
                replica.cooldown.put_last(now, REFUSED_FOR)
        elif isinstance(error, Refused) and error.whose is Whose.FULL:
            if error.status == 429 and len(replica.keys.keys) > 1:
                self.key.full(now, error.advice)
            else:
                replica.cooldown.full(now, error.advice)
        elif error.whose is not Whose.REQUEST:
            self._attempts.group.went(self._attempts.head, replica, well=False)
            is_sure = nobody_listens(error) or self.begun or replica.breaker.state != "closed"
            if type(error) is Silent and replica.is_frozen(self._sent):
                replica.breaker.froze(now)
            elif is_sure or not several:
                replica.failed(self._ticket, now, error, alone=not several)
            else:
                # Where others fail at it too, the request is to blame: they cannot all be broken.
                self._attempts.suspect(replica, self._ticket, error)
        self._attempts.group.changed(replica, now, error)
