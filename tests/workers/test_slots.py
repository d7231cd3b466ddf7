"""Admission: slots and queue hold their bounds, in order, whatever is cancelled when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinghe.core import ACCOUNT
from xinghe.workers import QueueFull, Slots

SLOTS, QUEUE = 3, 4

ARRIVE = st.tuples(st.just("arrive"), st.just(0))
LEAVE = st.tuples(st.just("leave"), st.integers(0, 20))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 20))
YIELD = st.tuples(st.just("yield"), st.integers(1, 2))
SETTLE = st.tuples(st.just("settle"), st.just(0))
STEPS = st.lists(st.one_of(ARRIVE, LEAVE, CANCEL, YIELD, SETTLE), max_size=60)


class Guest:
    """One request: waits for admission, stays until it is told to leave."""

    def __init__(self, slots: Slots) -> None:
        self.inside = False
        self.refused = False
        self.may_leave = asyncio.Event()
        self.task = asyncio.create_task(self._stay(slots))

    async def _stay(self, slots: Slots) -> None:
        try:
            async with slots.hold():
                self.inside = True
                try:
                    await self.may_leave.wait()
                finally:
                    self.inside = False
        except QueueFull:
            self.refused = True


async def settle(turns: int = 10) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def holds_its_bounds(guests: list[Guest]) -> None:
    assert sum(guest.inside for guest in guests) <= SLOTS


def pick(guests: list[Guest], number: int, *, inside: bool) -> Iterator[Guest]:
    found = [g for g in guests if not g.task.done() and g.inside is inside]
    if found:
        yield found[number % len(found)]


async def play(steps: list[tuple[str, int]]) -> None:
    slots = Slots(SLOTS, queue=QUEUE)
    guests: list[Guest] = []
    for step, number in steps:
        match step:
            case "arrive":
                guests.append(Guest(slots))
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
        holds_its_bounds(guests)
        assert slots.waiting <= QUEUE
    await first_come_first_served(guests)
    await all_leave(guests)
    await is_as_new(slots)


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


async def is_as_new(slots: Slots) -> None:
    """Nothing leaked: as many as ever fit at once."""
    assert slots.waiting == 0
    fresh = [Guest(slots) for _ in range(SLOTS)]
    await settle()
    assert all(guest.inside for guest in fresh)
    await all_leave(fresh)


@settings(deadline=None, max_examples=300)
@given(STEPS)
def test_any_course_of_events(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))


async def test_another_account_finds_room_in_a_queue_that_one_has_filled() -> None:
    slots = Slots(SLOTS, queue=QUEUE)
    crowd = [Guest(slots) for _ in range(SLOTS + QUEUE)]
    await settle()
    before = ACCOUNT.set("another")
    one = Guest(slots)
    ACCOUNT.reset(before)
    await settle()
    assert [guest.refused for guest in crowd] == [False] * (SLOTS + QUEUE - 1) + [True]
    assert slots.waiting == QUEUE
    for guest in [*crowd, one]:
        guest.may_leave.set()
    await asyncio.gather(*(guest.task for guest in [*crowd, one]))
    assert not one.refused


async def test_queue_is_full_exactly_at_its_bound() -> None:
    slots = Slots(SLOTS, queue=QUEUE)
    guests = [Guest(slots) for _ in range(SLOTS + QUEUE)]
    await settle()
    assert [guest.inside for guest in guests] == [True] * SLOTS + [False] * QUEUE
    assert not any(guest.refused for guest in guests)
    with pytest.raises(QueueFull):
        async with slots.hold():
            pass
    guests[0].may_leave.set()
    await settle()
    assert slots.waiting == QUEUE - 1
    guests.append(Guest(slots))
    for guest in guests:
        guest.may_leave.set()
    await asyncio.gather(*(guest.task for guest in guests))
    assert not guests[-1].refused


async def test_cancelled_in_the_moment_another_leaves() -> None:
    """The one that leaves finds the cancelled waiter still in the queue."""
    slots = Slots(1, queue=QUEUE)
    first = Guest(slots)
    await settle()
    waiting, behind = Guest(slots), Guest(slots)
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


async def test_who_continues_an_answer_goes_first() -> None:
    """Between two passes of an answer, nobody overtakes it, and the queue is never full for it."""
    slots = Slots(1, queue=1)
    order: list[str] = []

    async def enter(name: str, *, priority: bool = False) -> None:
        async with slots.hold(priority=priority):
            order.append(name)

    async with slots.hold():
        waiting = asyncio.create_task(enter("newcomer"))
        await settle()
        with pytest.raises(QueueFull):
            await enter("too late")
        back = asyncio.create_task(enter("priority", priority=True))
        await settle()
    await asyncio.gather(waiting, back)
    assert order == ["priority", "newcomer"]
    assert slots.waiting == 0


async def test_accounts_take_turns() -> None:
    slots = Slots(1, queue=8)
    order: list[str] = []

    async def enter(account: str) -> None:
        ACCOUNT.set(account)
        async with slots.hold():
            order.append(account)
            await asyncio.sleep(0)

    async with slots.hold():
        calls = [asyncio.create_task(enter(each)) for each in ("a", "a", "b")]
        await settle()
    await asyncio.gather(*calls)
    assert order == ["a", "b", "a"]
