"""Looking whether deployments can answer: seldom asked, and never waited for too long."""

from __future__ import annotations

import asyncio
import time

import pytest

from xinghe.dispatch import lookout
from xinghe.dispatch.lookout import Lookout


class Asked:
    """A deployment that says `says`, after a while."""

    def __init__(self, *, says: bool = True, after: float = 0.0) -> None:
        self.says, self.after, self.times = says, after, 0

    async def __call__(self) -> bool:
        self.times += 1
        await asyncio.sleep(self.after)
        return self.says


async def test_it_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Asked(), Asked(says=False)
    looks = Lookout({"one": one, "other": other})
    for _ in range(5):
        assert await looks.ready(["one", "other"]) == {"one": True, "other": False}
    assert (one.times, other.times) == (1, 1)
    monkeypatch.setattr(lookout, "FRESH_SECONDS", 0.0)
    one.says = False
    assert await looks.ready(["one"]) == {"one": False}
    assert (one.times, other.times) == (2, 1)


async def test_many_at_once_ask_once() -> None:
    one = Asked(after=0.05)
    looks = Lookout({"one": one})
    assert await asyncio.gather(*(looks.ready(["one"]) for _ in range(9))) == [{"one": True}] * 9
    assert one.times == 1


async def test_one_that_is_replaced_while_it_is_asked_is_told_as_it_said() -> None:
    old, new = Asked(after=0.05), Asked(says=False)
    looks = Lookout({"one": old, "gone": old})
    asking = asyncio.create_task(looks.ready(["one", "gone"]))
    await asyncio.sleep(0.01)
    looks.follow({"one": new})
    assert await asking == {"one": True, "gone": True}
    assert await looks.ready(["one", "gone"]) == {"one": False, "gone": False}
    assert new.times == 1


async def test_whoever_does_not_wait_is_told_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Asked(after=0.3)
    looks = Lookout({"slow": slow, "quick": Asked()})
    monkeypatch.setattr(lookout, "FIRST_SECONDS", 0.1)
    assert await looks.ready(["slow", "quick"], 0.05) == {"slow": False, "quick": True}
    monkeypatch.setattr(lookout, "FIRST_SECONDS", 60.0)
    assert await looks.ready(["slow", "quick"], 0.05) == {"slow": True, "quick": True}
    monkeypatch.setattr(lookout, "FRESH_SECONDS", 0.0)
    slow.says = False
    began = time.monotonic()
    assert await looks.ready(["slow"], 0.05) == {"slow": True}
    assert time.monotonic() - began < 0.25
    assert await looks.ready(["slow"]) == {"slow": False}
    assert slow.times == 2


async def test_whoever_leaves_breaks_nothing_off() -> None:
    slow = Asked(after=0.1)
    looks = Lookout({"slow": slow})
    asking = asyncio.create_task(looks.ready(["slow"]))
    await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await looks.ready(["slow"]) == {"slow": True}
    assert slow.times == 1


async def test_nobody_is_asked_about() -> None:
    assert await Lookout({}).ready([], 0.1) == {}
