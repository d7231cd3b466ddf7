"""Drawn schemas on the small embedded model: every answer fits, and nearly every one ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing

import pytest

from tests.engines.conftest import SLOTS, engine
from tests.kit.schemas import Drawer
from xinghe.core import (
    Constraint,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    Sampling,
    TextDelta,
)
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.structure import Structure, structured

__all__ = ["engine"]
pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

TOKENS = 512
DRAWS = 3
"""As often as the service draws an answer that does not fit, before it is an error."""
QUESTIONS = (
    "介绍一个人物。",
    "Describe an order of a shop.",
    "列出一座城市的信息。",
    "Make something up.",
)


async def answer(
    served: LlamaCppEngine, structure: Structure, question: str, seed: int
) -> tuple[str, FinishReason]:
    """The text under the structure's grammar and hint, and why it ended."""
    prompt = await served.prepare([Message("system", structure.hint), Message("user", question)])
    sampling = Sampling(temperature=0.7, seed=seed)
    job = EngineRequest("as-0123456789", prompt, sampling, TOKENS, constraint=structure.constraint)
    text, reason = "", FinishReason.NORMAL
    async with aclosing(served.generate(job)) as batches:
        async for batch in batches:
            for delta in batch.deltas:
                if isinstance(delta, TextDelta):
                    text += delta.text
                elif isinstance(delta, FinishDelta):
                    reason = delta.reason
    return text, reason


async def draw(served: LlamaCppEngine, seed: int, count: int) -> Counter[str]:
    """How `count` drawn schemas end: refused, complete, length, given up or invalid.

    What no grammar can say and no draw kept to is given up, which the service says; what a grammar
    admits of a schema that it says whole is invalid.
    """
    drawer, ends, slots = Drawer(seed), Counter[str](), asyncio.Semaphore(SLOTS)

    async def one(number: int, structure: Structure) -> None:
        async with slots:
            question = QUESTIONS[number % len(QUESTIONS)]
            for draw in range(1 if structure.exact else DRAWS):
                text, reason = await answer(served, structure, question, number + draw * 1000)
                if reason is FinishReason.LENGTH or structure.check(text) is None:
                    break
        ends["tokens"] += len(text)
        if reason is FinishReason.LENGTH:
            ends["length"] += 1
            print(f"length: {text[:300]!r}")
        elif fault := structure.check(text):
            end = "invalid" if structure.exact else "given up"
            ends[end] += 1
            print(f"{end}: {fault}: {text!r}")
        else:
            ends["complete"] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            try:
                structure = structured(drawer.schema(), max_tokens=TOKENS)
            except Unguaranteed as refusal:
                ends["refused"] += 1
                print(f"refused: {refusal}")
                continue
            group.create_task(one(number, structure))
    print(f"{count} schemas: {dict(ends)}")
    return ends


def holds(ends: Counter[str], count: int) -> None:
    assert ends["invalid"] == 0
    assert ends["refused"] <= count * 0.1
    assert ends["complete"] >= (count - ends["refused"]) * 0.9


@pytest.mark.timeout(1800)
async def test_drawn_schemas(engine: LlamaCppEngine) -> None:
    holds(await draw(engine, seed=1, count=3), 3)


@pytest.mark.slow
@pytest.mark.timeout(5400)
async def test_many_drawn_schemas(engine: LlamaCppEngine) -> None:
    holds(await draw(engine, seed=2, count=500), 500)


async def test_any_object(engine: LlamaCppEngine) -> None:
    structure = structured(max_tokens=TOKENS)
    text, reason = await answer(engine, structure, "用 JSON 介绍北京。", 7)
    assert reason is FinishReason.NORMAL
    assert structure.check(text) is None
    assert text.startswith("{")


async def test_a_text_that_looks_ahead_is_none_too_many_for_the_engine_s_lexer(
    engine: LlamaCppEngine,
) -> None:
    """Where that gives up, the engine goes on without any grammar."""
    secret = {"type": "string", "pattern": r"^(?=.*[A-Z])(?=.*\d)(?!.*\s).{8,}$"}
    structure = structured({"properties": {"password": secret}, "type": "object",
                            "required": ["password"]}, max_tokens=TOKENS)  # fmt: skip
    text, _ = await answer(engine, structure, "Make up a password.", 1)
    assert structure.exact
    assert structure.check(text) is None


async def test_a_grammar_rules_out_every_other_answer(engine: LlamaCppEngine) -> None:
    only = Structure(Constraint('start: "yes" | "no"'), "", lambda _text: None)
    text, reason = await answer(engine, only, "写一首诗。", 7)
    assert text in {"yes", "no"}
    assert reason is FinishReason.NORMAL
