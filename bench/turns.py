"""What Xinghe adds to the second turn of a long conversation on the embedded engine."""

from __future__ import annotations

import json
import statistics
import time

import aiohttp

from bench.bare import MODEL, Side

WORDS = 800
"""Of a first question; about 1,000 tokens."""
ROUNDS, ANSWER = 5, 16


async def second_turn(session: aiohttp.ClientSession, bare: Side, ours: Side) -> None:
    """Time to its first token, by turns; what was read before is not read again."""
    added, tokens = [], 0
    for round_ in range(ROUNDS):
        took = []
        for number, side in enumerate((bare, ours)):
            # No two conversations begin alike, else the one would have read for the other.
            words = " ".join(f"{index}" for index in range(WORDS // 4))
            text = f"{round_}{number}: {words}. Which number comes next?"
            turns = [{"role": "user", "content": text}]
            answer, _, _ = await _turn(session, side, turns)
            turns += [
                {"role": "assistant", "content": answer},
                {"role": "user", "content": "And the one after it?"},
            ]
            _, first, tokens = await _turn(session, side, turns)
            took.append(first)
        added.append((took[1] - took[0]) * 1000)
    print(f"\n## Second turn of {tokens} tokens, {ROUNDS} rounds\n")
    print("| | seen | wanted |\n|---|---|---|")
    print(
        f"| first token, added to the bare engine's, ms | {statistics.median(added):.0f} | ≤ 30 |"
    )


async def _turn(
    session: aiohttp.ClientSession, side: Side, turns: list[dict[str, str]]
) -> tuple[str, float, int]:
    """The answer, seconds to its first piece, and the tokens of the prompt."""
    body = {
        "model": MODEL,
        "messages": turns,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": ANSWER,
        **side.sampling,
    }
    began, first, text, tokens = time.perf_counter(), 0.0, "", 0
    async with side.post(session, body) as answer:
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            for choice in event["choices"]:
                piece = choice["delta"].get("content") or ""
                if piece and not first:
                    first = time.perf_counter() - began
                text += piece
            tokens = (event.get("usage") or {}).get("prompt_tokens", tokens)
    return text, first, tokens
