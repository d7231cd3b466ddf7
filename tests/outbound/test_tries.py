"""Trying again: after which errors, how often, and what goes on."""

from __future__ import annotations

import pytest

from xinghe.outbound import tries

Told = list[tuple[str, float | None]]


async def attempt(errors: list[Exception], told: Told) -> int:
    """Meets one error a try; returns in which it had none."""

    def failed(error: Exception, pause: float | None) -> None:
        told.append((str(error), pause))
        if pause is None and str(error) == "told otherwise":
            raise KeyError("in its place") from error

    for number, one in enumerate(tries((0.0, 0.001), (OSError, ValueError), failed), start=1):
        async with one:
            if errors:
                raise errors.pop(0)
            return number
    raise AssertionError("the last error goes on")


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_the_first_that_succeeds_is_the_last(number: int) -> None:
    told: Told = []
    assert await attempt([OSError(str(at)) for at in range(number - 1)], told) == number
    assert told == [("0", 0.0), ("1", 0.001)][: number - 1]


@pytest.mark.parametrize(
    ("last", "raised"), [(ValueError("c"), ValueError), (OSError("told otherwise"), KeyError)]
)
async def test_the_last_error_goes_on_or_another_in_its_place(
    last: Exception, raised: type[Exception]
) -> None:
    told: Told = []
    with pytest.raises(raised):
        await attempt([OSError("a"), ValueError("b"), last, OSError("never met")], told)
    assert told == [("a", 0.0), ("b", 0.001), (str(last), None)]


async def test_another_error_is_not_tried_again() -> None:
    told: Told = []
    with pytest.raises(RuntimeError):
        await attempt([RuntimeError(), OSError("never met")], told)
    assert told == []
