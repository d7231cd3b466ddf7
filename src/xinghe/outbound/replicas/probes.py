"""Looks after replicas in the background: whether those that are away are back, and whether those
that nobody hears of are still there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context

from xinghe.outbound.replicas.group import Group
from xinghe.outbound.replicas.replica import LEARNS_AFTER, Replica

WHILE_AWAY = 0.5
"""Seconds between the probes of a replica that is away."""
WHILE_SILENT = 1.0
"""The same of one that has failed, or lets a request wait for longer than this."""
WHILE_WELL = 10.0
"""The same of one that is well, and has not been heard of for as long."""
TIMEOUT = 2.0
"""Seconds within which a probe is answered."""


class Probes:
    """Asks each replica of a pool for its models; how often, its state decides.

    Started by the first request; `aclose` ends them.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._tasks: dict[Replica, asyncio.Task[None]] = {}
        self._closed = False

    def start(self) -> None:
        """Watch what is to be watched and is not yet."""
        for one in self._group.replicas:
            if one not in self._tasks and not self._closed and self._is_watched(one):
                # In no request's context: its lines of the log are not that one's.
                self._tasks[one] = asyncio.create_task(self._watch(one), context=Context())

    async def any_answers(self) -> bool:
        """Ask all at once; what they say until the first answers is known from then on."""
        asked = [
            asyncio.create_task(self._probe(one, self._group.connect_timeout))
            for one in self._group.replicas
            if one.weight and not one.keys.is_missing
        ]
        try:
            for each in asyncio.as_completed(asked):
                if await each:
                    return True
            return False
        finally:
            for task in asked:
                task.cancel()

    async def aclose(self) -> None:
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _watch(self, replica: Replica) -> None:
        group = self._group
        try:
            while self._is_watched(replica):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause(replica)):
                        await replica.suspected.wait()
                replica.suspected.clear()
                now = group.clock()
                if self._is_due(replica, now):
                    await self._probe(replica, TIMEOUT)
        finally:
            self._tasks.pop(replica, None)

    def _is_watched(self, replica: Replica) -> bool:
        return replica.weight > 0 and not self._group.has_heir

    def _pause(self, replica: Replica) -> float:
        silent = replica.breaker.is_silent or replica.breaker.state != "closed"
        return WHILE_AWAY if silent else WHILE_SILENT

    def _is_due(self, replica: Replica, now: float) -> bool:
        if replica.breaker.is_silent or replica.breaker.state != "closed":
            return True
        since = now - max(replica.heard_at, replica.probed_at)
        wait = replica.words.longest_wait(now)
        if wait >= LEARNS_AFTER and replica.answers != "always":
            return now - replica.probed_at >= WHILE_SILENT
        is_doubtful = wait > WHILE_SILENT or replica.breaker.has_failed
        return since >= (WHILE_SILENT if is_doubtful else WHILE_WELL)

    async def _probe(self, replica: Replica, seconds: float) -> bool:
        group, waiting = self._group, None
        if replica.words.longest_wait(group.clock()) >= LEARNS_AFTER:
            waiting = replica.words.oldest()
        alive = await replica.probe(seconds)
        now = group.clock()
        if alive and waiting is not None and waiting is replica.words.oldest():
            replica.answers = "always"
        elif alive and replica.answers == "never":
            replica.answers = "idle"
        replica.probed(alive, now)
        group.changed(replica, now)
        others = any(
            one.weight and one is not replica and one.breaker.state == "closed"
            for one in group.replicas
        )
        cause = replica.breaker.cause if replica.breaker.state == "open" else "failing"
        if cause == "frozen" or (others and cause != "failing"):
            if replica.at_work and cause == "frozen" and replica.answers == "always":
                replica.answers = "idle"  # to be learnt anew: it may have been at work after all
            replica.give_up()
        return alive
