"""Who may be at work at once: equal shares, places to spare for newcomers, a bound of waiting."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.core import ACCOUNT
from xinghe.engines.llamacpp.admission import LEAST_SPARE, ContextAdmissionQueue
from xinghe.engines.llamacpp.prefill import PrefillScheduler
from xinghe.engines.llamacpp.shares import Shares
from xinghe.workers import QueueFull

CONTEXT = 8000


def places_of(count: int = 4, queue: int = 64, longest: float = 60.0) -> ContextAdmissionQueue:
    return ContextAdmissionQueue(Shares(), count, queue=queue, tokens=CONTEXT, longest=longest)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Request:
    """A request of an account; it keeps its place until it is told to `leave`."""

    def __init__(
        self, places: ContextAdmissionQueue, account: str, tokens: int = 10, **how: bool
    ) -> None:
        self.account, self.tokens = account, tokens
        self.at_work = False
        self._may_leave = asyncio.Event()
        ACCOUNT.set(account)
        self.task = asyncio.create_task(self._run(places, **how))

    async def _run(self, places: ContextAdmissionQueue, **how: bool) -> None:
        async with places.hold(self.tokens, **how):
            self.at_work = True
            try:
                await self._may_leave.wait()
            finally:
                self.at_work = False

    async def leave(self) -> None:
        self._may_leave.set()
        await self.task
        await settled()


@asynccontextmanager
async def crowd(places: ContextAdmissionQueue) -> AsyncIterator[Callable[..., Request]]:
    made: list[Request] = []

    def come(account: str, tokens: int = 10, **how: bool) -> Request:
        made.append(Request(places, account, tokens, **how))
        return made[-1]

    try:
        yield come
    finally:
        for one in made:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in made), return_exceptions=True)
        assert places.waiting == 0
        assert places.has_room(CONTEXT), "nothing of what was held is lost"


async def test_one_account_cannot_take_the_place_of_the_next() -> None:
    async with crowd(places := places_of()) as come:
        many = [come("many") for _ in range(6)]
        await settled()
        assert [one.at_work for one in many] == [True] * 4 + [False] * 2
        one = come("one")
        await settled()
        assert one.at_work
        second = come("one")
        await settled()
        assert not second.at_work, "what is to spare is for those who have nothing"
        assert not places.has_room(1)


async def test_who_has_all_the_context_leaves_some_to_others() -> None:
    async with crowd(places_of()) as come:
        large, more, small = come("many", CONTEXT), come("many"), come("one", LEAST_SPARE)
        await settled()
        assert (large.at_work, more.at_work, small.at_work) == (True, False, True)
        await large.leave()
        assert more.at_work


async def test_a_small_one_passes_a_large_one_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with crowd(places_of()) as come:
        first, large = come("a", CONTEXT - 100), come("a", 1000)
        await settled()
        small = come("a", 50)
        await settled()
        assert (large.at_work, small.at_work) == (False, True)
        monkeypatch.setattr("xinghe.engines.llamacpp.admission.AGED", 0.0)
        later = come("a", 40)
        await settled()
        assert not later.at_work
        await first.leave()
        assert large.at_work


async def test_who_returns_goes_before_all_and_is_never_refused() -> None:
    async with crowd(places := places_of(count=1, queue=1)) as come:
        first, waits = come("a"), come("a")
        returns = come("a", priority=True)
        await settled()
        assert places.waiting == 2
        await first.leave()
        assert (returns.at_work, waits.at_work) == (True, False)


async def test_a_full_queue_has_room_for_who_has_less_waiting() -> None:
    async with crowd(places_of(count=1, queue=3)) as come:
        many = [come("many") for _ in range(4)]
        spare, other = come("other"), come("other")
        await settled()
        assert spare.at_work
        with pytest.raises(QueueFull):
            await many[-1].task
        assert not other.task.done()
        refused = come("many")
        await settled()
        with pytest.raises(QueueFull):
            await refused.task


async def test_who_comes_as_the_one_who_would_be_pushed_out_leaves_takes_its_place() -> None:
    async with crowd(places := places_of(count=1, queue=3)) as come:
        many = [come("many") for _ in range(4)]
        come("other")
        await settled()
        other = come("other")
        many[-1].task.cancel()  # the other runs first, which comes as this one leaves
        await settled()
        assert not other.task.done()
        assert [one.task.done() for one in many] == [False, False, False, True]
        assert places.waiting == 3


async def test_more_tokens_than_there_will_ever_be_is_a_mistake_of_the_caller() -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match=str(CONTEXT + 1)):
        async with places_of().hold(CONTEXT + 1):
            pass


async def test_of_accounts_that_have_gone_nothing_is_kept() -> None:
    async with crowd(places := places_of()) as come:
        for number in range(50):
            await come(str(number)).leave()
        kept = [one for one in vars(places).values() if isinstance(one, Collection)]
        assert len(kept) >= 2
        assert not any(kept)


async def test_nobody_waits_longer_than_the_operator_allows() -> None:
    async with crowd(places := places_of(count=1, longest=0.05)) as come:
        first, late = come("a"), come("a")
        with pytest.raises(QueueFull):
            await late.task
        assert places.waiting == 0
        assert first.at_work


async def test_who_would_wait_too_long_is_told_at_once_and_when_to_come_again() -> None:
    async with crowd(places := places_of(count=1, longest=5.0)) as come:
        held, *waiting = (come("a") for _ in range(20))
        await settled()
        refused = [one for one in waiting if one.task.done()]
        # Each is expected to stay for a second: who comes as sixth would wait for more than five.
        assert len(refused) == 14
        for one in refused:
            with pytest.raises(QueueFull):
                await one.task
        ACCOUNT.set("a")
        assert places.retry_after == pytest.approx(1.0, abs=0.1)
        assert places.expected_wait == pytest.approx(6.0, abs=0.6)
        ACCOUNT.set("b")
        assert places.retry_after >= 1.0
        assert held.at_work


async def test_how_long_those_at_work_have_been_there_already_is_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the first of them leaves, the past tells nothing."""
    async with crowd(places := places_of(count=1, longest=60.0)) as come:
        come("a"), come("a")
        await settled()
        later = time.monotonic() + 50.0
        monkeypatch.setattr("xinghe.engines.llamacpp.admission.time.monotonic", lambda: later)
        ACCOUNT.set("a")
        # The one at work has stayed for fifty seconds, and another waits before a newcomer.
        assert places.expected_wait == pytest.approx(100.0, abs=5.0)
        assert places.retry_after == pytest.approx(50.0, abs=5.0)
        monkeypatch.undo()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "leave", "cancel"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, LEAST_SPARE),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_comes_and_goes_who_has_nothing_at_work_is_not_kept_waiting_by_one(
    steps: list[tuple[str, str, int]],
) -> None:
    async def run() -> None:
        async with crowd(places_of(count=3)) as come:
            made: list[Request] = []
            for what, account, tokens in steps:
                own = [one for one in made if one.account == account and not one.task.done()]
                if what == "come":
                    made.append(come(account, tokens))
                elif own and what == "cancel":
                    own[-1].task.cancel()
                elif working := [one for one in own if one.at_work]:
                    await working[0].leave()
                await settled()
                at_work = [one for one in made if one.at_work]
                assert sum(one.tokens for one in at_work) <= CONTEXT + LEAST_SPARE
                assert len(at_work) <= 6
                waiting = {o.account for o in made if not (o.at_work or o.task.done())}
                have = Counter(one.account for one in at_work)
                if waiting and len(at_work) < 3 and not have:
                    raise AssertionError("places are free, and nobody has one")

    asyncio.run(run())


async def test_one_and_eight_conversations_have_equal_shares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a pretended engine, in steps: in each it reads a piece and writes a token for each."""
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ON_ITS_WAY", 0.0)  # there is no time
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 600.0)
    shares = Shares()
    places = ContextAdmissionQueue(shares, 4, queue=64, tokens=32768, longest=60.0)
    turns, had, draw = PrefillScheduler(shares), Counter[str](), random.Random(7)
    step = asyncio.Event()

    async def converse(account: str) -> None:
        ACCOUNT.set(account)
        while True:
            await step.wait()  # it thinks of what to ask next
            left, answer = draw.randint(20, 300), draw.randint(10, 200)
            async with places.hold(left + 2048):
                with turns.work(account) as work:
                    while left:
                        left -= (piece := await turns.take(work, left))
                        had[account] += piece
                        await step.wait()
                        turns.end(work)
                    for _ in range(answer):
                        await step.wait()
                        turns.wrote(work, 1)
                        had[account] += 1

    talks = [asyncio.create_task(converse(one)) for one in ["one", *["many"] * 8]]
    while sum(had.values()) < 8000:
        step.set()
        step.clear()
        await settled()
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    assert had["one"] == pytest.approx(had["many"], rel=0.2)
