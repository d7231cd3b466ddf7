"""Every fault of the hostile upstream, over all that asks one (issue's A4 and B)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.attack.faults import CHAT, WIRE
from tests.attack.hosts import ABLE, DRAWN, PLAIN, VECTORS
from tests.attack.shot import Aim, Allowed, Piece, Shot, asked

TOLD: Allowed = ("200", "200 error", "500 dispatch_internal_error", "429")
"""An honest end: an answer, an error event, our own 500, or the upstream's 429 passed on."""

DEAR = {"big_event": 40, "deep": 10, "deep_objects": 10, "big_line": 10, "tiny_events": 6,
        "big_number": 10, "many_choices": 6, "huge_body": 4, "gzip_bomb": 6, "big_head": 10,
        "tiny_chunks": 4, "bare_lines": 6, "tokens_1e30": 4, "endless_events": 10}  # fmt: skip
"""How many at once, where it is more than one."""

LEAVES = {"endless_comments": 3.0, "endless_events": None, "endless_thought": None}
"""A fault that may go on for as long as the upstream likes: the client leaves."""


def _chat(order: str, stream: bool) -> Callable[[Aim, str], Iterable[Piece]]:
    messages = [{"role": "user", "content": order}]
    # Of thoughts, only a model that thinks has any.
    model = ABLE if order.endswith(("thought", "odd", "many")) else PLAIN
    return asked("/chat/completions", {"model": model, "messages": messages, "stream": stream})


def _embedded(order: str) -> Callable[[Aim, str], Iterable[Piece]]:
    return asked("/embeddings", {"model": VECTORS, "input": [order, "a"]})


def _drawn(order: str) -> Callable[[Aim, str], Iterable[Piece]]:
    body: dict[str, Any] = {"model": DRAWN, "prompt": order, "retry_count": 0}
    return asked("/images/generations", body | {"request_timeout": 20})


def _shots() -> list[Shot]:
    shots = []
    for name in [*WIRE, *CHAT]:
        order, many = f"hurt:chat:{name}", DEAR.get(name, 1)
        for stream in (True, False):
            form = "stream" if stream else "whole"
            leaves = LEAVES.get(name)
            shots.append(Shot(f"chat {form} {name}", _chat(order, stream), TOLD, many, 40, leaves))
    for name in WIRE:
        many = min(4, DEAR.get(name, 1))
        embedded, drawn = f"hurt:embeddings:{name}", f"hurt:images:{name}"
        shots.append(Shot(f"embeddings {name}", _embedded(embedded), TOLD, many, 40))
        shots.append(Shot(f"images {name}", _drawn(drawn), (*TOLD, "408"), many, 40))
        # What cannot be checked passes: that is the default.
        checked = _chat(f"hurt:moderation:{name}", stream=False)
        shots.append(Shot(f"moderation {name}", checked, ("200",), many, 40))
    return shots


SHOTS = _shots()
