"""When the pieces of a stream are read together."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.outbound import Coalescer

SECONDS = 0.015


def reads(pauses: list[float], seconds: float = SECONDS) -> list[tuple[float, int]]:
    """When a stream of such pauses is read, and how many events each read brings."""
    coalescer = Coalescer(seconds)
    left = list(accumulate(pauses))
    found: list[tuple[float, int]] = []
    at = 0.0
    while left:
        at = max(at, left[0])
        events = sum(each <= at for each in left)
        del left[:events]
        found.append((at, events))
        if coalescer.pays(at, events):
            at += seconds
    return found


def test_a_fast_stream_is_read_in_larger_pieces() -> None:
    found = reads([0.005] * 100)
    assert found[0] == (0.005, 1)
    assert len(found) < 40


@pytest.mark.parametrize("pause", [0.02, 0.05, 1.0])
def test_a_slow_one_is_read_as_it_comes(pause: float) -> None:
    found = reads([pause] * 20)
    assert [events for _, events in found] == [1] * 20
    assert [at for at, _ in found] == pytest.approx(list(accumulate([pause] * 20)))


def test_nothing_is_gathered_for_no_time() -> None:
    assert len(reads([0.005] * 100, 0)) == 100


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_no_piece_waits_longer_than_it_is_gathered_for(pauses: list[float]) -> None:
    left = list(accumulate(pauses))
    for at, events in reads(pauses):
        assert at - left[0] <= SECONDS + 1e-9
        del left[:events]
    assert left == []


def test_the_first_piece_never_waits() -> None:
    assert reads([0.3, 0.001])[0] == (0.3, 1)
