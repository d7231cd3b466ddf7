"""Results are kept within so many bytes, and apart by all that they depend on."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from xinghe.generation.vetting.service import Cache, key_of
from xinghe.generation.vetting.wire import Form, Formed, Functions, Refused


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_it_never_holds_more_than_its_bytes(puts: list[tuple[int, int]]) -> None:
    cache = Cache(6_000)
    for key, size in puts:
        result = Formed("g" * size, "")
        cache.put(bytes([key]), result)
        assert cache.held <= 6_000
        assert cache.get(bytes([key])) is result
    kept = [found for key in range(10) if (found := cache.get(bytes([key])))]
    assert sum(len(one.grammar) for one in kept if isinstance(one, Formed)) <= cache.held


def test_the_latest_used_stays() -> None:
    cache = Cache(4_000)
    for key in (b"1", b"2", b"3"):
        cache.put(key, Formed("g" * 700, ""))
        assert cache.get(b"1")
    cache.put(b"4", Formed("g" * 700, ""))
    assert cache.get(b"1")
    assert cache.get(b"2") is None


async def test_a_result_may_hold_for_a_time_only() -> None:
    cache = Cache(4_000)
    cache.put(b"1", Refused("schema", "", "takes too long"), 0.05)
    assert cache.get(b"1")
    async with asyncio.timeout(30):
        while cache.get(b"1"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert cache.held == 0


def test_what_a_result_depends_on_tells_it_apart() -> None:
    works: list[Form | Functions] = [
        Form(b"{}", 64),
        Form(b"{ }", 64),
        Form(b"{}", 65),
        Form(None, 64),
        Functions(b"[]", False, "auto", None, True, 64),
        Functions(b"[]", True, "auto", None, True, 64),
        Functions(b"[]", False, "required", None, True, 64),
        Functions(b"[]", False, "required", ["a"], True, 64),
        Functions(b"[]", False, "auto", None, False, 64),
        Functions(b"[]", False, "auto", None, True, 65),
    ]
    assert len({key_of(work) for work in works}) == len(works)
    assert key_of(Form(b"{}", 64)) == key_of(Form(b"{}", 64))
