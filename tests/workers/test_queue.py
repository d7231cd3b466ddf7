"""Accounts take turns, and nothing waits beyond the bounds."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.workers import FairQueue, QueueFull

ACCOUNTS = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "take", "leave"]), ACCOUNTS), max_size=80)


def never(_: object, __: object) -> None:
    raise AssertionError("there is room for all")


@given(STEPS, st.integers(1, 8), st.integers(1, 4))
def test_it_holds_what_came_within_its_bounds(
    steps: list[tuple[str, str]], most: int, share: int
) -> None:
    held: list[tuple[str, int]] = []
    dropped: list[int] = []

    def drop(item: int, _: QueueFull) -> None:
        dropped.append(item)

    queue: FairQueue[int] = FairQueue(most=most, share=share, drop=drop)
    for number, (what, account) in enumerate(steps):
        own = [pair for pair in held if pair[0] == account]
        if what == "put":
            waiting = Counter(pair[0] for pair in held)
            longest = max(waiting.values(), default=0)
            if len(own) >= share or (len(held) >= most and longest <= max(1, len(own) + 1)):
                with pytest.raises(QueueFull):
                    queue.put(account, number)
            else:
                full = len(held) >= most
                queue.put(account, number)
                if full:
                    gone = next(pair for pair in held if pair[1] == dropped[-1])
                    assert waiting[gone[0]] == longest
                    assert gone == [pair for pair in held if pair[0] == gone[0]][-1]
                    held.remove(gone)
                held.append((account, number))
        elif what == "leave" and own:
            assert queue.remove(*own[-1])
            assert not queue.remove(*own[-1])
            held.remove(own[-1])
        elif what == "take":
            taken = queue.take(lambda one, barred=account: one != barred)  # type: ignore[misc]
            others = [pair for pair in held if pair[0] != account]
            assert (taken is None) == (not others)
            if taken is not None:
                assert taken == next(pair for pair in others if pair[0] == taken[0])
                held.remove(taken)
        assert queue.waiting == len(held)
    assert sorted(queue.clear()) == sorted(number for _, number in held)
    assert queue.waiting == 0


@given(st.lists(ACCOUNTS, min_size=1, max_size=60))
def test_nobody_waits_for_more_than_one_call_of_each_other(calls: list[str]) -> None:
    queue: FairQueue[int] = FairQueue(most=100, share=100, drop=never)
    for number, account in enumerate(calls):
        queue.put(account, number)
    left = Counter(calls)
    while left:
        served = []
        for _ in range(len(left)):
            taken = queue.take()
            assert taken is not None
            served.append(taken[0])
        assert sorted(served) == sorted(left)
        left -= Counter(left.keys())


def test_who_has_had_little_comes_before_who_has_had_much() -> None:
    now = 0.0
    queue: FairQueue[int] = FairQueue(most=100, share=100, drop=never, clock=lambda: now)

    def served() -> str:
        taken = queue.take()
        assert taken is not None
        return taken[0]

    for account in "abc":
        queue.used(account, 4)
        queue.put(account, 1)
        queue.put(account, 2)
    for number in range(5):
        queue.put("d", number)
        queue.used("d", 0.01)
    assert [served() for _ in range(5)] == ["d"] * 5
    queue.put("d", 6)
    now = 100.0  # all is forgotten
    assert [served() for _ in range(7)] == ["a", "b", "c", "d", "a", "b", "c"]
    assert queue.waiting == 0


class Texts(msgspec.Struct, frozen=True):
    """A call that fills as much of the queue as it has texts."""

    name: str
    size: int


def of_texts(most: int) -> FairQueue[Texts]:
    return FairQueue(most=most, share=most // 2, drop=never, size=attrgetter("size"))


def test_one_account_has_its_share_of_the_room() -> None:
    queue = of_texts(20)
    queue.put("a", Texts("a1", 8))
    with pytest.raises(QueueFull, match="8 calls of this account"):
        queue.put("a", Texts("a2", 3))
    queue.put("a", Texts("a2", 2))
    with pytest.raises(QueueFull, match="10 calls are waiting"):
        queue.put("b", Texts("b1", 11))
    queue.put("b", Texts("b1", 10))
    assert queue.waiting == 20


def test_a_large_item_comes_where_nothing_waits() -> None:
    queue = of_texts(4)
    queue.put("a", Texts("a1", 50))
    with pytest.raises(QueueFull):
        queue.put("b", Texts("b1", 1))
    assert queue.next() == queue.take() == ("a", Texts("a1", 50))
    queue.put("b", Texts("b1", 1))


def test_a_crowd_of_accounts_leaves_room_for_one_more() -> None:
    dropped: list[str] = []

    def drop(item: str, _: QueueFull) -> None:
        dropped.append(item)

    queue: FairQueue[str] = FairQueue(most=64, share=8, drop=drop)
    for account in "abcdefgh":
        for number in range(8):
            queue.put(account, f"{account}{number}")
    for number in range(7):
        queue.put("z", f"z{number}")
    assert dropped == ["a7", "b7", "c7", "d7", "e7", "f7", "g7"]
    with pytest.raises(QueueFull, match="64 calls"):
        queue.put("z", "z7")  # it has as many as the others now, and h one more
    assert queue.waiting == 64


def test_who_leaves_takes_nothing_along() -> None:
    queue = of_texts(20)
    first, second = Texts("a1", 5), Texts("a2", 5)
    queue.put("a", first)
    queue.put("a", second)
    assert queue.remove("a", first)
    assert not queue.remove("a", first)
    assert queue.waiting == 5
    assert queue.take() == ("a", second)
    assert not queue.remove("a", second)
    assert queue.waiting == 0
