"""Counts what a pass uses, and ends it where its length is reached."""

from __future__ import annotations

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    Meter,
    PrefillDelta,
    Prompt,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)


class UsageCounter:
    """Writes the meter; takes `PrefillDelta` and `UsageDelta` out of the stream.

    `max_tokens` bounds the answer, `thinking` the chain of thought (0: one bound for both). The
    first pass of a request charges the prompt, the following ones read it again at our expense.
    `charge` is what the prompt costs whatever the engine counts: pictures have a price of their
    own, by their size.
    """

    def __init__(
        self,
        meter: Meter,
        prompt: Prompt,
        *,
        max_tokens: int,
        thinking: int = 0,
        charges_prompt: bool = True,
        charge: int | None = None,
    ) -> None:
        self._meter = meter
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._thinking = thinking
        self._charges_prompt = charges_prompt
        self._charge = charge
        self._completion = meter.completion_tokens
        self._reasoning = meter.reasoning_tokens
        self._said = 0
        self._thought = 0
        self._besides = 0
        """Tokens by which the engine's count is above ours: ours goes on from there."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        # Runs for every token of every answer: hence no `match`, and one count a read.
        out: list[Delta] = []
        counted = True
        for delta in deltas:
            if isinstance(delta, TextDelta | RefusalDelta | ToolCallDelta):
                self._said += delta.tokens
            elif isinstance(delta, ReasoningDelta):
                self._thought += delta.tokens
            elif isinstance(delta, PrefillDelta):
                self._begin()
                continue
            elif isinstance(delta, UsageDelta):
                self._believe(delta)
                counted = True
                continue
            elif isinstance(delta, FinishDelta):
                out.append(delta)
                break
            counted = False
            if self._is_over():
                # The engine was told, but an upstream may not listen.
                out.append(FinishDelta(FinishReason.LENGTH))
                break
            out.append(delta)
        if not counted:
            self._count()
        return out

    def _begin(self) -> None:
        self._meter.started = True
        if self._charges_prompt:
            self._meter.prompt_tokens = (
                self._prompt.tokens if self._charge is None else self._charge
            )

    def _is_over(self) -> bool:
        """Whether a bound is passed; the counts are then brought back to it."""
        if not self._thinking:
            over = self._said + self._thought - self._max_tokens
            self._said -= max(0, over)
            return over > 0
        over = self._said > self._max_tokens or self._thought > self._thinking
        self._said = min(self._said, self._max_tokens)
        self._thought = min(self._thought, self._thinking)
        return over

    def _count(self) -> None:
        made = max(0, self._said + self._thought + self._besides)
        self._meter.completion_tokens = self._completion + made
        self._meter.reasoning_tokens = self._reasoning + min(self._thought, made)

    def _believe(self, usage: UsageDelta) -> None:
        """The engine's own count replaces ours."""
        meter = self._meter
        if self._charges_prompt:
            if self._charge is None:
                meter.prompt_tokens = usage.prompt_tokens
            meter.cached_tokens = min(usage.cached_tokens, meter.prompt_tokens)
        meter.completion_tokens = self._completion + usage.completion_tokens
        if usage.reasoning_tokens is not None:
            self._thought = usage.reasoning_tokens
        self._besides = usage.completion_tokens - self._said - self._thought
        thought = min(self._thought, usage.completion_tokens)
        meter.reasoning_tokens = self._reasoning + thought
