"""What a picture costs in tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.pictures import image_tokens

SIDES = st.integers(1, 200_000)


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1, 1, 1),
        (28, 28, 1),
        (29, 28, 2),
        (29, 29, 4),
        (640, 480, 23 * 18),
        (1120, 1120, 1600),
        (1121, 1120, 1600),
        (1121, 1121, 1600),
        (4000, 3000, 34 * 46),
        (3000, 4000, 34 * 46),
        (32_768, 1, 1171),
        (32_768, 32_768, 1600),
        (1080, 20_000, 9 * 167),
    ],
)
def test_the_documented_rule(width: int, height: int, tokens: int) -> None:
    assert image_tokens(width, height) == tokens


@given(SIDES, SIDES)
def test_from_1_to_1600_whichever_way_it_is_turned(width: int, height: int) -> None:
    assert 1 <= image_tokens(width, height) <= 1600
    assert image_tokens(width, height) == image_tokens(height, width)


@given(SIDES, SIDES)
def test_the_scale_is_the_largest_that_fits(width: int, height: int) -> None:
    # Searched from the other side: whole sizes, by bisection of the scale in millionths.
    def cost(scale: int) -> int:
        return -(-width * scale // 28_000_000) * -(-height * scale // 28_000_000)

    low, high = 1, 1_000_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= 1600 else (low, middle - 1)
    assert cost(low) <= image_tokens(width, height) <= max(1600, cost(low))
    if low == 1_000_000:
        assert image_tokens(width, height) == cost(low)


@given(SIDES, SIDES, st.integers(0, 50))
def test_below_the_limit_a_larger_picture_never_costs_less(
    width: int, height: int, more: int
) -> None:
    if -(-(width + more) // 28) * -(-height // 28) <= 1600:
        assert image_tokens(width, height) <= image_tokens(width + more, height)
