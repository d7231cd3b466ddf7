"""Who is next on the embedded engine: equal shares, then the shortest, and nobody for ever last."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from xinghe.engines.llamacpp.shares import AGED, EVEN, REMEMBERED, SAVED, Shares

PIECE = 64


@dataclass
class Prompt:
    account: str
    left: int
    since: float = 0.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def turn(shares: Shares, waiting: list[Prompt]) -> Prompt:
    """The next one is read, a piece of it."""
    first = shares.first(waiting)
    assert first is not None
    read = min(PIECE, first.left)
    shares.count(first.account, read)
    first.left -= read
    return first


@given(st.lists(st.lists(st.integers(1, 5000), min_size=1, max_size=5), min_size=2, max_size=5))
def test_accounts_with_work_are_read_equally_whatever_each_asks(lengths: list[list[int]]) -> None:
    shares, had = Shares(Clock()), Counter[str]()
    waiting = [Prompt(str(of), left) for of, prompts in enumerate(lengths) for left in prompts]
    for prompt in waiting:
        shares.begin(prompt.account)
    while len({prompt.account for prompt in waiting}) == len(lengths):
        before = sum(prompt.left for prompt in waiting)
        first = turn(shares, waiting)
        had[first.account] += before - sum(prompt.left for prompt in waiting)
        waiting = [prompt for prompt in waiting if prompt.left]
        totals = [had[str(of)] for of in range(len(lengths))]
        assert max(totals) - min(totals) <= EVEN + PIECE


@given(st.lists(st.integers(1, 2000), min_size=2, max_size=8))
def test_of_one_account_the_shortest_is_first(lengths: list[int]) -> None:
    shares, ended = Shares(Clock()), list[int]()
    prompts = [(Prompt("1", left), left) for left in lengths]
    for _ in prompts:
        shares.begin("1")
    while waiting := [prompt for prompt, _ in prompts if prompt.left]:
        first = turn(shares, waiting)
        ended += [length for prompt, length in prompts if prompt is first and not first.left]
    assert ended == sorted(lengths)


def test_who_has_waited_for_long_is_before_the_shorter_ones_of_its_account() -> None:
    clock = Clock()
    shares = Shares(clock)
    long, short = Prompt("1", 4000, clock.now), Prompt("1", 10, clock.now + AGED)
    shares.begin("1")
    shares.begin("1")
    assert shares.first([long, short]) is short
    clock.now += AGED
    assert shares.first([long, short]) is long


def test_who_was_idle_has_saved_nothing_and_who_comes_back_at_once_lost_nothing() -> None:
    clock = Clock()
    shares = Shares(clock)
    for account in ("1", "2"):
        shares.begin(account)
    shares.end("2")
    shares.count("1", 1000)
    clock.now += REMEMBERED / 2
    shares.begin("2")
    assert shares.ahead("1", ["1", "2"]) == 1000
    shares.end("2")
    clock.now += 2 * REMEMBERED
    shares.begin("2")
    assert shares.ahead("1", ["1", "2"]) == 0
    assert shares.ahead("2", ["1", "2"]) == 0


def test_nobody_waits_where_nobody_is() -> None:
    assert Shares().first([]) is None


def test_who_asks_for_little_every_second_saves_nothing_for_later_nor_for_others() -> None:
    clock = Clock()
    shares = Shares(clock)
    shares.begin("works")
    for _ in range(600):
        shares.begin("asks")
        shares.count("asks", 30)
        shares.end("asks")
        shares.count("works", 200)
        clock.now += REMEMBERED / 2
    shares.begin("asks")
    shares.begin("comes")
    assert shares.ahead("works", ["asks"]) == SAVED
    assert shares.ahead("works", ["comes"]) == SAVED
