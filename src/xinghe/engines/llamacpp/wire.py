"""What llama.cpp's server says and hears on the routes that we use."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from xinghe.core import Constraint, GenerationJob, Picture

GRAMMAR_PREFIX = "%llguidance {}\n"
"""What tells llama.cpp that a grammar is Lark for llguidance and not its own notation."""


class Timings(msgspec.Struct):
    """`cache_n`: prompt tokens that were not read again."""

    cache_n: int = 0


class CompletionEvent(msgspec.Struct):
    """One event of `/completion`; `tokens_predicted` is a running total."""

    content: str = ""
    stop: bool = False
    stop_type: str = ""
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    timings: Timings | None = None
    error: Any = None


class Rendered(msgspec.Struct):
    """The answer of `/apply-template`."""

    prompt: str


class Tokenized(msgspec.Struct):
    """The answer of `/tokenize`."""

    tokens: list[int]


class Counted(msgspec.Struct):
    """The answer of `/chat/completions/input_tokens`: with pictures, as the engine holds them."""

    input_tokens: int


def with_media(prompt: str, pictures: Sequence[Picture]) -> dict[str, Any]:
    """The `prompt` of a conversation in which markers of `/apply-template` stand for pictures.

    A marker is random for each child, so that no text can hold one.
    """
    encoded = [base64.b64encode(one.data).decode() for one in pictures]
    return {"prompt_string": prompt, "multimodal_data": encoded}


def completion_request(
    job: GenerationJob, base_repeat_penalty: float, slot: int, *, reuse: bool
) -> dict[str, Any]:
    """The body for `/completion` in a given slot; without `reuse`, what the slot holds is dropped.

    `return_progress` is what lets a cancelled request leave its slot in the middle of a prefill.
    """
    sampling = job.sampling
    if job.constraint is not None and job.constraint.formal:
        base_repeat_penalty = 1.0
    body: dict[str, Any] = {
        "prompt": job.prompt.payload,
        "n_predict": job.max_tokens,
        "stream": True,
        "id_slot": slot,
        "cache_prompt": reuse,
        "return_progress": True,
        "repeat_penalty": base_repeat_penalty * (sampling.penalty_score or 1.0),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "seed": sampling.seed,
        "grammar": _grammar(job.constraint),
    }
    return {name: value for name, value in body.items() if value is not None}


def _grammar(constraint: Constraint | None) -> str | None:
    return None if constraint is None else GRAMMAR_PREFIX + constraint.grammar
