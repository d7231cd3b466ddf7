"""Who is slow, and who leaves it for that: new work at once, conversations after a while."""

from __future__ import annotations

import pytest

from xinghe.catalog import UpstreamDeployment
from xinghe.outbound.replicas.affinity import Head, digest
from xinghe.outbound.replicas.group import Group
from xinghe.outbound.replicas.replica import Replica
from xinghe.outbound.replicas.slowness import FRESH, SLOW_FOR, FirstWords, slow_ones


@pytest.mark.parametrize(
    ("times", "slow"),
    [
        ([0.05, 0.5], [None, 0.05]),
        ([0.05, 0.06], [None, None]),
        ([0.001, 0.02], [None, None]),
        ([None, 5.0], [None, None]),
        ([0.1, 0.1, 1.0, 1.0], [None, None, 0.1, 0.1]),
        ([5.0], [None]),
    ],
)
def test_slow_is_who_takes_far_longer_than_the_others(
    times: list[float | None], slow: list[float | None]
) -> None:
    assert slow_ones(times) == slow


def test_who_lets_all_wait_is_slow_before_it_has_answered() -> None:
    words = FirstWords()
    assert words.typical(0.0) is None
    asked = [words.asked(0.0) for _ in range(4)]
    assert words.typical(3.0) == pytest.approx(3.0)
    for one in asked[:3]:
        words.answered(one, 4.0)
    words.gone(asked[3])
    assert words.typical(4.0) == pytest.approx(4.0)
    words.gone(asked[2])
    words.answered(words.asked(5.0), 5.1)
    assert words.typical(5.1) == pytest.approx(0.1), "one that is quick again is so at once"
    assert words.typical(5.1 + FRESH + 1) is None


def head(conversation: int) -> Head:
    return Head(b"", digest(str(conversation).encode()))


def picked(group: Group, now: float, conversation: int) -> Replica:
    found = group.pick(now, head(conversation), 0, set(), set())
    assert found is not None
    return found[0]


def test_a_conversation_stays_with_one_that_is_slow_for_a_moment_only() -> None:
    urls = ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    group = Group("up", UpstreamDeployment(urls=urls, model="m"))
    slow, good = group.replicas
    for conversation in range(20):
        group.went(head(conversation), slow, well=True)
    for now in (1.0, 2.0, 3.0):
        slow.words.answered(slow.words.asked(now - 1.0), now)
        good.words.answered(good.words.asked(now - 0.1), now)
    slow.at_work[object()] = None
    assert {picked(group, 4.0, number) for number in range(20)} == {slow}
    assert slow.state(4.0) == "slow"
    assert {picked(group, 4.1, number) for number in range(20, 40)} == {good}
    assert {picked(group, 4.2 + SLOW_FOR, number) for number in range(20)} == {good}
    for now in (7.0, 7.1, 7.2):
        slow.words.answered(slow.words.asked(now - 0.1), now)
    assert {picked(group, 7.3, number) for number in range(20)} == {slow}
