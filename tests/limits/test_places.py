"""How many are at work at once, who waits, in which order, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import partial

import pytest

from tests.limits.virtual import VirtualLoop
from xinghe.limits import Place, Places, RateLimited

Run = Callable[[Coroutine[None, None, None]], None]


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner.run


def place(limit: int, whose: str = "the class", model: str = "") -> Place:
    return Place(("budget", sum(whose.encode()), model), whose, limit)


class Desk:
    """Has requests work for a while, and notes when each begins, in seconds, and how it ends."""

    def __init__(self, queue: int = 100, wait: float = 30.0) -> None:
        self.places = Places(queue, wait)
        self.began: dict[str, float] = {}
        self.refused: dict[str, tuple[float, RateLimited]] = {}

    def ask(
        self, name: str, *asks: Place, stay: float = 1.0, member: int = 1
    ) -> asyncio.Task[None]:
        return asyncio.create_task(self._work(name, asks, stay, member), name=name)

    async def _work(self, name: str, asks: tuple[Place, ...], stay: float, member: int) -> None:
        now = asyncio.get_running_loop().time
        try:
            async with self.places.hold(asks, member):
                self.began[name] = now()
                await asyncio.sleep(stay)
        except RateLimited as refusal:
            self.refused[name] = (now(), refusal)


def test_without_limits_nobody_waits(run: Run) -> None:
    async def main() -> None:
        desk = Desk(queue=0, wait=0)
        await asyncio.gather(*(desk.ask(str(number)) for number in range(1000)))
        assert set(desk.began.values()) == {0.0}
        assert len(desk.places) == 0

    run(main())


def test_fifty_and_one_place_first_come_first_served(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=50)
        await asyncio.gather(*(desk.ask(str(number), place(1)) for number in range(50)))
        assert list(desk.began.items()) == [(str(number), number) for number in range(50)]
        assert len(desk.places) == 0

    run(main())


def test_a_wait_that_is_too_long(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=30)
        first = desk.ask("first", place(1), stay=45)
        await asyncio.sleep(5)
        late = [desk.ask(name, place(1)) for name in ("second", "third")]
        await asyncio.wait(late)
        at, refusal = desk.refused["second"]
        assert at == 35
        assert (refusal.kind, refusal.limit, refusal.scope) == ("concurrent", 1, "the class")
        # The one at work has been there for 35 seconds; as long may it be yet, and one waits.
        assert refusal.retry_after == 40
        assert desk.refused["third"][1].retry_after == 35
        await first
        await desk.ask("fourth", place(1))
        assert desk.began["fourth"] == 45

    run(main())


@pytest.mark.parametrize(("queue", "wait", "retry_after"), [(0, 30, 4), (10, 30, 14), (10, 10, 34)])
def test_a_full_queue(run: Run, queue: int, wait: float, retry_after: float) -> None:
    """Four seconds each, as far as one can see: a queue of ten takes 44."""

    async def main() -> None:
        desk = Desk(queue, wait)
        first = desk.ask("first", place(1), stay=100)
        await asyncio.sleep(4)
        waiting = [desk.ask(str(number), place(1)) for number in range(queue)]
        await asyncio.sleep(0)
        await desk.ask("one more", place(1))
        at, refusal = desk.refused["one more"]
        assert (at, refusal.retry_after) == (4, retry_after)
        for task in [first, *waiting]:
            task.cancel()

    run(main())


def test_a_full_queue_has_room_for_whom_less_of_is_waiting(run: Run) -> None:
    async def main() -> None:
        desk = Desk(queue=3)
        tasks = [desk.ask(name, place(1), member=1) for name in ("a1", "a2", "a3", "a4")]
        await asyncio.sleep(0)
        tasks += [desk.ask(name, place(1), member=2) for name in ("b1", "b2")]
        tasks.append(desk.ask("c1", place(1), member=3))
        await asyncio.wait(tasks)
        assert list(desk.began) == ["a1", "a2", "b1", "c1"]
        assert {name: at for name, (at, _) in desk.refused.items()} == {"a4": 0, "b2": 0, "a3": 0}

    run(main())


def test_who_leaves_leaves_at_once(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        tasks = [desk.ask(name, place(1), stay=10) for name in "abcd"]
        await asyncio.sleep(1)
        tasks[1].cancel()  # it waits
        await asyncio.sleep(1)
        tasks[0].cancel()  # it is at work
        await asyncio.wait(tasks)
        assert desk.began == {"a": 0, "c": 2, "d": 12}
        assert len(desk.places) == 0

    run(main())


@pytest.mark.parametrize("first", ["the turn", "the client"])
def test_who_leaves_in_the_moment_of_his_turn(run: Run, first: str) -> None:
    async def main() -> None:
        places, working = Places(10, 30), []

        async def work(name: str, done: asyncio.Event) -> None:
            async with places.hold([place(1)], 1):
                working.append(name)
                await done.wait()

        done = asyncio.Event()
        tasks = [asyncio.create_task(work(name, done)) for name in "abc"]
        await asyncio.sleep(1)
        if first == "the client":
            tasks[1].cancel()
        done.set()
        if first == "the turn":
            await asyncio.sleep(0)  # a has left, b does not know yet
            tasks[1].cancel()
        await asyncio.wait(tasks)
        assert working == ["a", "c"]
        assert tasks[1].cancelled()
        assert len(places) == 0

    run(main())


def test_a_refused_request_leaves_the_limits_of_those_after_it_alone(run: Run) -> None:
    """The line that it waited in was gone and begun anew before its task went on."""

    async def main() -> None:
        desk = Desk(wait=5)
        loop = asyncio.get_running_loop()
        first = desk.ask("first", place(1), stay=100)
        await asyncio.sleep(0)
        # All in the round of its timer: the first goes, and somebody comes.
        loop.call_at(5.0, first.cancel)
        loop.call_at(5.0, partial(desk.ask, "third", place(1), stay=10))
        second = desk.ask("second", place(1))
        await asyncio.wait([first, second])
        assert second.exception() is None
        await desk.ask("fourth", place(1))
        assert list(desk.refused) == ["second", "fourth"]
        assert desk.began == {"first": 0, "third": 5}
        await asyncio.sleep(10)
        assert len(desk.places) == 0

    run(main())


def test_what_a_request_raises_gives_its_place_back(run: Run) -> None:
    async def main() -> None:
        places = Places(0, 0)
        for _ in range(3):
            with pytest.raises(ValueError, match="engine"):
                async with places.hold([place(1), place(2, "the model")], 1):
                    raise ValueError("the engine's")
        assert len(places) == 0

    run(main())


def test_a_token_that_waits_for_itself_takes_no_place_of_its_class(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=31)
        greedy = [place(2, "the token"), place(5)]
        tasks = [desk.ask(f"greedy {number}", *greedy, stay=10) for number in range(20)]
        await asyncio.sleep(0)
        tasks += [desk.ask(name, place(5), member=2) for name in ("x", "y", "z")]
        await asyncio.sleep(0)
        assert list(desk.began) == ["greedy 0", "greedy 1", "x", "y", "z"]
        await asyncio.wait(tasks)
        assert desk.began["greedy 6"] == 30
        assert len(desk.refused) == 20 - 2 * 4

    run(main())


def test_the_wait_counts_once_for_all_limits(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=30)
        own, shared = place(1, "the token"), place(1)
        tasks = [desk.ask("mine", own, stay=20), desk.ask("theirs", shared, stay=100)]
        await asyncio.sleep(0)
        await desk.ask("late", own, shared)
        at, refusal = desk.refused["late"]
        assert (at, refusal.scope) == (30, "the class")
        for task in tasks:
            task.cancel()

    run(main())


def test_a_limit_that_is_changed_holds_for_those_who_wait(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=100)
        tasks = [desk.ask(name, place(2), stay=10) for name in "abcdef"]
        await asyncio.sleep(1)
        desk.places.change(place(3))
        await asyncio.sleep(0)
        assert list(desk.began) == ["a", "b", "c"]
        desk.places.change(place(1))  # nobody's work is broken off
        await asyncio.wait(tasks)
        assert desk.began == {"a": 0, "b": 0, "c": 1, "d": 11, "e": 21, "f": 31}

    run(main())


def test_who_waits_for_his_token_knows_the_class_as_it_is_then(run: Run) -> None:
    async def main() -> None:
        desk = Desk(wait=100)
        own, wide = place(1, "the token"), place(2)
        tasks = [desk.ask(name, own, wide, stay=10) for name in "ab"]
        await asyncio.sleep(1)
        tasks.append(desk.ask("c", place(1), stay=20))
        await asyncio.wait(tasks)
        assert desk.began == {"a": 0, "c": 10, "b": 30}

    run(main())


def test_a_limit_is_what_it_was_last_asked_as(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        tasks = [desk.ask(name, place(1), stay=10) for name in "abc"]
        await asyncio.sleep(1)
        tasks.append(desk.ask("d", place(3), stay=10))
        await asyncio.wait(tasks)
        assert desk.began == {"a": 0, "b": 1, "c": 1, "d": 10}
        desk.places.change(place(5))  # of a line that nobody stands in
        assert len(desk.places) == 0

    run(main())
