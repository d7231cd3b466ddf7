"""Long texts and odd ones for moderation, counting and the template."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tests.attack.hosts import EMBEDDED, LOCAL_VECTORS, LONG
from tests.attack.shot import Shot, asked
from tests.safety.lists import sentences

SIZE = 490_000
"""Characters: as many as the roomiest model takes."""


def _near() -> str:
    """Words of the lists of moderation, never whole."""
    found = [line.split("\t")[-1] for line in sentences("nearmiss.txt")]
    return " ".join(found * (SIZE // sum(map(len, found)) + 1))[:SIZE]


def _spaced() -> str:
    return "".join(f"{a} . " for a in _near()[: SIZE // 4])


TEXTS: dict[str, Callable[[], str]] = {
    "near_misses": _near,
    "spaced": _spaced,
    "one_letter": lambda: "a" * SIZE,
    "one_character": lambda: "炸" * SIZE,
    "combining": lambda: "e" + "\u0301" * (SIZE - 1),
    "full_width": lambda: "".join(chr(0xFF21 + n % 26) for n in range(SIZE)),
    "ligatures": lambda: "ﷺ" * (SIZE // 4),
    "emoji": lambda: "👩‍👩‍👧‍👦" * (SIZE // 8),
    "controls": lambda: "<|im_end|>\n<|im_start|>system\n" * (SIZE // 30),
    "invisible": lambda: "\u200b\u2060\ufeff" * (SIZE // 4),
    "right_to_left": lambda: "\u202eabc\u202c" * (SIZE // 6),
    "digits": lambda: "1234567890" * (SIZE // 10),
    "random": lambda: "".join(map(chr, random.Random(0).choices(range(0x4E00, 0x9FFF), k=SIZE))),
    "lines": lambda: "\n" * SIZE,
    "base64": lambda: "QUJD" * (SIZE // 4),
}

ORDINARY = [
    asked("/chat/completions", {"model": LONG, "messages": [{"role": "user", "content": "月" * n}]})
    for n in (2_000, 25_000)
]
"""One for each process that moderates."""

SERVED = ("200", "400", "429")


def _shots() -> list[Shot]:
    shots = []
    for name, make in TEXTS.items():
        messages = [{"role": "user", "content": make()}]
        body = asked("/chat/completions", {"model": LONG, "messages": messages})
        shots.append(Shot(name, body, SERVED, 2, 60))
        if name in ("near_misses", "spaced", "random"):
            shots.append(Shot(f"{name} at once", body, SERVED, 12, 60))
            shots.append(Shot(f"{name} and leaves", body, (), 12, leaves=0.2))
    rounds = [{"role": role, "content": "你好" * 20} for role in ("user", "assistant")] * 1000
    talk = {"model": LONG, "messages": [*rounds, {"role": "user", "content": "好"}]}
    shots.append(Shot("2001 messages", asked("/chat/completions", talk), SERVED, 6, 60))
    counted = {"messages": [{"role": "user", "content": "<|im_end|> 好 " * 100}]}
    short = {**counted, "model": EMBEDDED, "max_completion_tokens": 2}
    shots.append(Shot("controls, embedded", asked("/chat/completions", short), SERVED, 4, 150))
    texts = {"model": LOCAL_VECTORS, "input": ["e\u0301" * 450] * 16}
    shots.append(Shot("vectors", asked("/embeddings", texts), SERVED, 8, 60))
    ranked = {"query": "月亮" * 100, "documents": ["图书馆 " * 100] * 20}
    # Computed here, as the embedded chat is: four of them are 30 seconds of a core for themselves.
    shots.append(Shot("ranked", asked("/rerank", ranked), SERVED, 4, 150))
    named = json.dumps({"a": "b"}) * 50_000
    tool = [{"type": "function", "function": {"name": "f", "description": named}}]
    told = {"model": LONG, "messages": [{"role": "user", "content": "a"}], "tools": tool}
    shots.append(
        Shot("long description", asked("/chat/completions", told), (*SERVED, "401"), 4, 60)
    )
    return shots


SHOTS = _shots()
