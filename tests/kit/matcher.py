"""A walk through a grammar without any model: what a hostile sampler could make of it."""

from __future__ import annotations

import random

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

TOKENIZER = LLTokenizer("byte")
CLOSING = b'"}]'
TELLING = b'"}]{[,:0123456789.-eE/\\abcxyzAZ_ @Ttfn' + "中é😀".encode()
"""Bytes where mistakes are likely: taken more often than the others."""


def walk(grammar: str, rng: random.Random, soft: int = 80, hard: int = 3000) -> str | None:
    """A text that the grammar admits, `None` if it is not complete after `hard` bytes.

    After `soft` bytes whatever closes is taken first.
    """
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(grammar), log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    text = bytearray()
    while len(text) < hard:
        enough = matcher.is_stopped() or len(text) > soft or rng.random() < 0.3
        if matcher.is_accepting() and enough:
            return text.decode()
        byte = _next(matcher, rng, hurry=len(text) >= soft)
        assert matcher.consume_token(byte)
        text.append(byte)
    return None


def laziest(grammar: str, liked: bytes, hard: int = 1500) -> str | None:
    """The text of a sampler that ends as soon as it may, and else takes the first of `liked`.

    So it says the same over and over: one name for all properties, one item for all items.
    """
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(grammar), log_level=0)
    text = bytearray()
    while not matcher.is_accepting():
        if len(text) == hard:
            return None
        allowed = _allowed(matcher)
        text.append(next((byte for byte in liked if byte in allowed), allowed[0]))
        assert matcher.consume_token(text[-1])
    return text.decode()


def _next(matcher: LLMatcher, rng: random.Random, *, hurry: bool) -> int:
    allowed = _allowed(matcher)
    closing = [byte for byte in allowed if byte in CLOSING]
    if closing and rng.random() < (0.9 if hurry else 0.25):
        return rng.choice(closing)
    telling = [byte for byte in allowed if byte in TELLING]
    return int(rng.choice(telling if telling and rng.random() < 0.8 else allowed))


def _allowed(matcher: LLMatcher) -> list[int]:
    mask = allocate_token_bitmask(1, TOKENIZER.vocab_size)
    fill_next_token_bitmask(matcher, mask)
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[:256]
    allowed: list[int] = np.flatnonzero(bits).tolist()
    assert allowed, "a dead end"
    return allowed
