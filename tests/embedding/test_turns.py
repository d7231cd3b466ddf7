"""Who waits for vectors: accounts take turns, and none fills the queue for the others."""

from __future__ import annotations

import msgspec

from xinghe.embedding.turns import Turns


class Job(msgspec.Struct, frozen=True):
    name: str
    texts: int


def test_accounts_take_turns() -> None:
    turns: Turns[Job] = Turns(100)
    for name in ("a1", "a2", "a3", "b1"):
        turns.put(name[0], Job(name, 5))
    taken = [turns.take(16) for _ in range(5)]
    assert [job and job.name for job in taken] == ["a1", "b1", "a2", "a3", None]
    assert turns.texts == 0


def test_one_account_has_half_of_the_room() -> None:
    turns: Turns[Job] = Turns(20)
    turns.put("a", Job("a1", 8))
    assert turns.has_room("a", 2)
    assert not turns.has_room("a", 3)
    assert turns.has_room("b", 12)
    assert not turns.has_room("b", 13)
    assert turns.has_room("", 12)


def test_a_large_request_comes_where_nothing_waits() -> None:
    turns: Turns[Job] = Turns(4)
    assert turns.has_room("a", 50)
    turns.put("a", Job("a1", 50))
    assert not turns.has_room("b", 1)
    assert turns.take(16) is None
    assert turns.take(50) == Job("a1", 50)
    assert turns.has_room("b", 1)


def test_who_leaves_takes_nothing_along() -> None:
    turns: Turns[Job] = Turns(20)
    first, second = Job("a1", 5), Job("a2", 5)
    turns.put("a", first)
    turns.put("a", second)
    turns.remove("a", first)
    turns.remove("a", first)
    assert turns.texts == 5
    assert turns.take(16) == second
    turns.remove("a", second)
    assert turns.texts == 0
