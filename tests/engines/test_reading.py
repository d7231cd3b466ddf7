"""What is told of the wait for a first token, where several answers wait for theirs."""

from __future__ import annotations

from xinghe.engines.reading import READING, Reading, telling


def test_one_that_ends_leaves_what_another_does() -> None:
    reading = Reading()
    token = READING.set(reading)
    waiting, read = telling("waiting", lambda: 30.0), telling("reading", lambda: 40.0)
    waiting.__enter__()
    read.__enter__()
    waiting.__exit__(None, None, None)
    assert (reading.doing, reading.expected) == ("reading", 40.0)
    read.__exit__(None, None, None)
    assert (reading.doing, reading.expected) == ("", 0.0)
    READING.reset(token)
