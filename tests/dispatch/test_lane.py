"""Admission: slots, tokens and queue hold their bounds, in order, whatever is cancelled when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinghe.dispatch.lane import Lane, LaneFull

SLOTS, QUEUE, TOKENS = 3, 4, 10

ARRIVE = st.tuples(st.just("arrive"), st.integers(1, TOKENS))
LEAVE = st.tuples(st.just("leave"), st.integers(0, 20))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 20))
YIELD = st.tuples(st.just("yield"), st.integers(1, 2))
SETTLE = st.tuples(st.just("settle"), st.just(0))
STEPS = st.lists(st.one_of(ARRIVE, LEAVE, CANCEL, YIELD, SETTLE), max_size=60)


class Guest:
    """One request: waits for admission, stays until it is told to leave."""

    def __init__(self, lane: Lane, tokens: int) -> None:
        self.tokens = tokens
        self.inside = False
        self.refused = False
        self.may_leave = asyncio.Event()
        self.task = asyncio.create_task(self._stay(lane))

    async def _stay(self, lane: Lane) -> None:
        try:
            async with lane.admit(self.tokens):
                self.inside = True
                try:
                    await self.may_leave.wait()
                finally:
                    self.inside = False
        except LaneFull:
            self.refused = True


async def settle(turns: int = 10) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def holds_its_bounds(guests: list[Guest], tokens: int) -> None:
    inside = [guest for guest in guests if guest.inside]
    assert len(inside) <= SLOTS
    assert not tokens or sum(guest.tokens for guest in inside) <= tokens


def pick(guests: list[Guest], number: int, *, inside: bool) -> Iterator[Guest]:
    found = [g for g in guests if not g.task.done() and g.inside is inside]
    if found:
        yield found[number % len(found)]


async def play(steps: list[tuple[str, int]], tokens: int) -> None:
    lane = Lane(SLOTS, QUEUE, tokens)
    guests: list[Guest] = []
    for step, number in steps:
        match step:
            case "arrive":
                guests.append(Guest(lane, number))
            case "leave":
                for guest in pick(guests, number, inside=True):
                    guest.may_leave.set()
            case "cancel":
                # In the same turn of the loop as other steps: before, at and after each await.
                for guest in pick(guests, number, inside=bool(number % 2)):
                    guest.task.cancel()
            case "yield":
                await settle(number)
            case "settle":
                await first_come_first_served(guests)
        holds_its_bounds(guests, tokens)
        assert lane.waiting <= QUEUE
    await first_come_first_served(guests)
    await all_leave(guests)
    await is_as_new(lane, tokens)


async def first_come_first_served(guests: list[Guest]) -> None:
    """Nobody is in who came after one that still waits."""
    await settle()
    waiting = [i for i, guest in enumerate(guests) if not (guest.task.done() or guest.inside)]
    inside = [i for i, guest in enumerate(guests) if guest.inside]
    assert not waiting or max(inside, default=-1) < min(waiting)


async def all_leave(guests: list[Guest]) -> None:
    for guest in guests:
        guest.may_leave.set()
    leaving = asyncio.gather(*(guest.task for guest in guests), return_exceptions=True)
    outcomes = await asyncio.wait_for(leaving, 60)
    assert all(o is None or isinstance(o, asyncio.CancelledError) for o in outcomes), outcomes


async def is_as_new(lane: Lane, tokens: int) -> None:
    """Nothing leaked: as many as ever fit at once, and with all of the tokens."""
    assert lane.waiting == 0
    fresh = [Guest(lane, TOKENS // SLOTS) for _ in range(SLOTS)]
    await settle()
    assert all(guest.inside for guest in fresh)
    await all_leave(fresh)
    if tokens:
        async with asyncio.timeout(60), lane.admit(tokens):
            pass


@settings(deadline=None, max_examples=300)
@given(STEPS, st.sampled_from([0, TOKENS]))
def test_any_course_of_events(steps: list[tuple[str, int]], tokens: int) -> None:
    asyncio.run(play(steps, tokens))


async def test_queue_is_full_exactly_at_its_bound() -> None:
    lane = Lane(SLOTS, QUEUE)
    guests = [Guest(lane, 1) for _ in range(SLOTS + QUEUE)]
    await settle()
    assert [guest.inside for guest in guests] == [True] * SLOTS + [False] * QUEUE
    assert not any(guest.refused for guest in guests)
    with pytest.raises(LaneFull):
        async with lane.admit(1):
            pass
    guests[0].may_leave.set()
    await settle()
    assert lane.waiting == QUEUE - 1
    guests.append(Guest(lane, 1))
    for guest in guests:
        guest.may_leave.set()
    await asyncio.gather(*(guest.task for guest in guests))
    assert not guests[-1].refused


async def test_large_request_is_not_starved_by_small_ones() -> None:
    lane = Lane(SLOTS, QUEUE, TOKENS)
    first = Guest(lane, 6)
    await settle()
    large, small = Guest(lane, 8), Guest(lane, 1)
    await settle()
    assert not large.inside
    assert not small.inside  # there is room, but it came later
    first.may_leave.set()
    await settle()
    assert large.inside
    assert small.inside
    for guest in (large, small):
        guest.may_leave.set()
    await asyncio.gather(large.task, small.task)


async def test_cancelled_head_lets_the_next_one_in() -> None:
    lane = Lane(SLOTS, QUEUE, TOKENS)
    first = Guest(lane, 6)
    await settle()
    large, small = Guest(lane, 8), Guest(lane, 1)
    await settle()
    large.task.cancel()
    await settle()
    assert small.inside
    for guest in (first, small):
        guest.may_leave.set()
    await asyncio.gather(first.task, small.task)


async def test_cancelled_in_the_moment_another_leaves() -> None:
    """The one that leaves finds the cancelled waiter still in the queue."""
    lane = Lane(1, QUEUE)
    first = Guest(lane, 1)
    await settle()
    waiting, behind = Guest(lane, 1), Guest(lane, 1)
    await settle()
    first.may_leave.set()
    await asyncio.sleep(0)
    waiting.task.cancel()
    await settle()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert behind.inside
    behind.may_leave.set()
    await behind.task


async def test_more_tokens_than_there_will_ever_be_is_a_mistake_of_the_caller() -> None:
    """It would block the lane for good."""
    lane = Lane(SLOTS, QUEUE, TOKENS)
    with pytest.raises(ValueError, match="11"):
        async with lane.admit(TOKENS + 1):
            pass
    async with asyncio.timeout(60), lane.admit(TOKENS):
        pass


async def test_who_continues_an_answer_goes_first() -> None:
    """Between two passes of an answer, nobody overtakes it, and the queue is never full for it."""
    lane = Lane(1, 1)
    order: list[str] = []

    async def enter(name: str, *, returning: bool = False) -> None:
        async with lane.admit(1, returning=returning):
            order.append(name)

    async with lane.admit(1):
        waiting = asyncio.create_task(enter("newcomer"))
        await settle()
        with pytest.raises(LaneFull):
            await enter("too late")
        back = asyncio.create_task(enter("returning", returning=True))
        await settle()
    await asyncio.gather(waiting, back)
    assert order == ["returning", "newcomer"]
    assert lane.waiting == 0


async def test_who_continues_an_answer_takes_a_free_slot_before_those_that_wait() -> None:
    lane = Lane(2, 4, tokens=10)
    async with lane.admit(8):
        waiting = asyncio.create_task(lane.admit(8).__aenter__())
        await settle()
        async with asyncio.timeout(60), lane.admit(2, returning=True):
            assert lane.waiting == 1
    await waiting
