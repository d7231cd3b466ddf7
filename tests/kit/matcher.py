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


def _next(matcher: LLMatcher, rng: random.Random, *, hurry: bool) -> int:
    mask = allocate_token_bitmask(1, TOKENIZER.vocab_size)
    fill_next_token_bitmask(matcher, mask)
    allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")[:256]).tolist()
    assert allowed, "a dead end"
    closing = [byte for byte in allowed if byte in CLOSING]
    if closing and rng.random() < (0.9 if hurry else 0.25):
        return rng.choice(closing)
    telling = [byte for byte in allowed if byte in TELLING]
    return int(rng.choice(telling if telling and rng.random() < 0.8 else allowed))
