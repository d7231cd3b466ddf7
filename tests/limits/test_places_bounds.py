"""Any sequence of arrivals, ends, leaves, waits and changed limits, against what places promise."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.limits.virtual import VirtualLoop
from xinghe.limits import Place, Places, RateLimited
from xinghe.limits.quota import Key

QUEUE, WAIT = 5, 30.0
NARROW: Key = ("budget", 1, "")
MODEL: Key = ("budget", 2, "m")
WIDE: Key = ("budget", 3, "")
WAYS: dict[str, tuple[Key, ...]] = {
    "Li": (NARROW, WIDE),
    "Li on m": (NARROW, MODEL, WIDE),
    "Wu": (WIDE,),
    "Wu on m": (MODEL, WIDE),
    "He": (NARROW,),
}


class Request:
    """What one has asked for, and how far it is."""

    def __init__(self, way: str, member: int, since: float) -> None:
        self.way = way
        self.member = member
        self.since = since
        self.end = asyncio.Event()
        self.task: asyncio.Task[None]
        self.state = "waits"
        self.why: RateLimited | None = None


class Crowd(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.places = Places(QUEUE, WAIT)
        self.limits: dict[Key, int] = {NARROW: 2, MODEL: 1, WIDE: 3}
        self.over: dict[Key, int] = dict.fromkeys(self.limits, 0)
        """Places taken beyond the limit, since it was lowered below them."""
        self.requests: list[Request] = []

    def teardown(self) -> None:
        for request in self.requests:
            request.task.cancel()
        self.let_pass(0)
        assert len(self.places) == 0
        self.loop.close()

    def let_pass(self, seconds: float) -> None:
        self.loop.run_until_complete(self.pause(seconds))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for _ in range(10):  # whoever a place or a refusal has come to goes on
            await asyncio.sleep(0)

    def those(self, state: str) -> list[Request]:
        return [request for request in self.requests if request.state == state]

    async def work(self, request: Request) -> None:
        asks = [Place(key, "the class", self.limits[key]) for key in WAYS[request.way]]
        try:
            async with self.places.hold(asks, request.member):
                request.state = "works"
                await request.end.wait()
            request.state = "done"
        except asyncio.CancelledError:
            request.state = "left"
        except RateLimited as refusal:
            request.state, request.why = "refused", refusal

    @rule(way=st.sampled_from(list(WAYS)), member=st.integers(1, 3))
    def one_comes(self, way: str, member: int) -> None:
        request = Request(way, member, self.loop.time())
        self.requests.append(request)
        request.task = self.loop.create_task(self.work(request))
        waited = [each for each in self.those("waits") if each is not request]
        self.let_pass(0)
        refused = [each for each in [*waited, request] if each.state == "refused"]
        for each in refused:  # more than one, where who gives way leaves a place to the next
            assert len(waited) >= QUEUE
            assert each.why is not None
            assert each.why.retry_after > 0

    @precondition(lambda self: self.those("works"))
    @rule(data=st.data())
    def one_ends(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.those("works")))
        request.end.set()
        self.let_pass(0)
        assert request.state == "done"

    @precondition(lambda self: self.those("works") or self.those("waits"))
    @rule(data=st.data(), ends=st.booleans())
    def one_leaves(self, data: st.DataObject, ends: bool) -> None:
        """Maybe in the moment in which another ends, so that its turn comes."""
        request = data.draw(st.sampled_from(self.those("works") + self.those("waits")))
        others = [each for each in self.those("works") if each is not request]
        if ends and others:
            others[0].end.set()
            self.loop.run_until_complete(asyncio.sleep(0))
        request.task.cancel()
        self.let_pass(0)
        assert request.state == "left"

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.let_pass(seconds)
        for request in self.those("waits"):
            assert self.loop.time() < request.since + WAIT

    @rule(key=st.sampled_from([NARROW, MODEL, WIDE]), limit=st.integers(1, 4))
    def a_limit_is_changed(self, key: Key, limit: int) -> None:
        self.limits[key] = limit
        self.over[key] = max(0, self.taken(key) - limit)
        self.loop.call_soon(self.places.change, Place(key, "the class", limit))
        self.let_pass(0)

    def held(self, key: Key) -> int:
        return sum(key in WAYS[request.way] for request in self.those("works"))

    def taken(self, key: Key) -> int:
        """With those who have this place, and wait for their next."""
        line = self.places._lines.get(key)
        return len(line.working) if line else 0

    @invariant()
    def no_more_than_the_limit_are_at_work(self) -> None:
        for key, limit in self.limits.items():
            taken = self.taken(key)
            assert self.held(key) <= taken <= limit + self.over[key]
            self.over[key] = min(self.over[key], max(0, taken - limit))

    @invariant()
    def first_come_first_served(self) -> None:
        """Of those who ask for the same: nobody works before one who came earlier and waits."""
        for way in WAYS:
            states = [each.state for each in self.requests if each.way == way]
            states = [state for state in states if state in ("waits", "works")]
            assert states == sorted(states, reverse=True)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Some limit of each who waits is taken up by those at work and those who came earlier."""
        waiting = self.those("waits")
        for request in waiting:
            earlier = [each for each in waiting if each is not request]
            assert any(
                self.held(key) + sum(key in WAYS[each.way] for each in earlier) >= self.limits[key]
                for key in WAYS[request.way]
            )
        if waiting:  # no deadlock: somebody is at work whose end lets one of them on
            assert self.those("works")

    @invariant()
    def only_who_is_there_counts(self) -> None:
        there = self.those("works") + self.those("waits")
        assert len(self.places) <= len({key for each in there for key in WAYS[each.way]})


def crowds(examples: int) -> None:
    run_state_machine_as_test(
        Crowd,
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )


def test_crowds() -> None:
    crowds(20)


@pytest.mark.slow
def test_many_crowds() -> None:
    crowds(300)
