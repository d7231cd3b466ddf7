"""What images cost (contract, Tokens and the ledger)."""

from __future__ import annotations

from xinghe.images import Asked

PIXELS, STEPS = 1024 * 1024, 20
"""What a card's `image_tokens` is the price of."""


def image_tokens(asked: Asked, steps: int, price: int) -> int:
    """Output tokens for `steps` of all its steps: in proportion to pixels × steps, rounded up."""
    return -(-price * asked.width * asked.height * steps // (PIXELS * STEPS))
