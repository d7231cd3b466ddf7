"""What a picture costs in tokens (the contract's "Tokens" section; ours)."""

from __future__ import annotations

PATCH = 28
"""Pixels: a token stands for a square with sides of this length."""
MAX_TOKENS = 1600


def image_tokens(width: int, height: int) -> int:
    """Input tokens of a picture of `width` × `height` pixels, from 1 to 1,600.

    ⌈w/28⌉ × ⌈h/28⌉. Where that is more than 1,600, the picture is first scaled down, its ratio
    kept, by as little as makes it 1,600 or fewer: a picture of 4000 × 3000 costs 1,564.
    """
    tokens = _patches(width, PATCH) * _patches(height, PATCH)
    if tokens <= MAX_TOKENS:
        return tokens
    # Growing from nothing, the count only rises where one side fills its patches exactly; so
    # the largest permitted scale is one of those, and whole numbers suffice to find it.
    return max(
        count
        for side, other in ((width, height), (height, width))
        for filled in range(1, MAX_TOKENS + 1)
        if (count := filled * _patches(filled * other, side)) <= MAX_TOKENS
    )


def _patches(length: int, size: int) -> int:
    return -(-length // size)
