"""Counts what a pass uses, and ends it where its length is reached."""

from collections.abc import Iterator

import msgspec

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    PrefillDelta,
    Prompt,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from xinghe.engines import spread
from xinghe.engines.prompts import estimated_tokens
from xinghe.text_run import LONG, TextRun

_SAID = TextDelta, TextRun, RefusalDelta, ToolCallDelta


class UsageCounter(msgspec.Struct):
    """Counts the usage; takes `PrefillDelta` and `UsageDelta` out of the stream.

    `max_tokens` bounds the answer, `thinking` the chain of thought (0: one bound for both). The
    first pass of a request charges the prompt, the following ones read it again at our expense.
    `charge` is what the prompt costs whatever the engine counts: pictures have a price of their
    own, by their size. `completion` and `reasoning` are what the passes before have made.
    """

    usage: Usage
    prompt: Prompt
    max_tokens: int
    thinking: int = 0
    charges_prompt: bool = True
    charge: int | None = None
    completion: int = 0
    reasoning: int = 0
    said: int = 0
    thought: int = 0
    besides: int = 0
    """Tokens by which the engine's count is above ours: ours goes on from there."""
    more: int = 0
    """Tokens by which long fragments are estimated above their count. They end no answer."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        # Runs for every token of every answer: hence no `match`, and one count a read.
        out: list[Delta] = []
        counted = True
        for delta in self._within(deltas):
            if isinstance(delta, _SAID):
                self.said += delta.tokens
            elif isinstance(delta, ReasoningDelta):
                self.thought += delta.tokens
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
            if not self.prompt.exact:
                self.more += _beyond_its_count(delta)
            out.append(delta)
        if not counted:
            counts = max(0, self.said + self.thought + self.besides)
            # No estimate passes the bound; a count of the engine's may.
            made = max(counts, min(counts + self.more, self.max_tokens + self.thinking))
            self.usage.completion_tokens = self.completion + made
            self.usage.reasoning_tokens = self.reasoning + min(self.thought, made)
        return out

    def _within(self, deltas: list[Delta]) -> Iterator[Delta]:
        """The same, but for runs in which a bound is passed: spread."""
        for delta in deltas:
            if not isinstance(delta, TextRun):
                yield delta
                continue
            said = self.said + delta.tokens
            if said + (0 if self.thinking else self.thought) <= self.max_tokens:
                yield delta
            else:
                yield from spread([delta])

    def _begin(self) -> None:
        self.usage.started = True
        if self.charges_prompt:
            self.usage.prompt_tokens = self.prompt.tokens if self.charge is None else self.charge

    def _is_over(self) -> bool:
        """Whether a bound is passed; the counts are then brought back to it."""
        if not self.thinking:
            over = self.said + self.thought - self.max_tokens
            self.said -= max(0, over)
            return over > 0
        over = self.said > self.max_tokens or self.thought > self.thinking
        self.said = min(self.said, self.max_tokens)
        self.thought = min(self.thought, self.thinking)
        return over

    def _believe(self, reported: UsageDelta) -> None:
        """The engine's own count replaces ours."""
        usage = self.usage
        if self.charges_prompt:
            if self.charge is None:
                usage.prompt_tokens = reported.prompt_tokens
            usage.cached_tokens = min(reported.cached_tokens, usage.prompt_tokens)
        usage.completion_tokens = self.completion + reported.completion_tokens
        if reported.reasoning_tokens is not None:
            self.thought = reported.reasoning_tokens
        self.more = 0
        self.besides = reported.completion_tokens - self.said - self.thought
        thought = min(self.thought, reported.completion_tokens)
        usage.reasoning_tokens = self.reasoning + thought


def begin_anew(usage: Usage) -> None:
    """Nothing of what was made was sent, and another engine makes it anew: nobody owes it.

    It was generated, though, and counts for the Tokens a minute; searches are not made again.
    """
    usage.discarded_tokens += usage.completion_tokens
    usage.prompt_tokens = usage.completion_tokens = 0
    usage.cached_tokens = usage.reasoning_tokens = 0
    usage.started = usage.shown = False
    usage.first = 0.0


def _beyond_its_count(delta: Delta) -> int:
    """The tokens of a long fragment that are not counted: some say a whole answer in one event."""
    if isinstance(delta, TextDelta | RefusalDelta | ReasoningDelta):
        text = delta.text
    elif isinstance(delta, ToolCallDelta):
        text = delta.arguments
    else:
        return 0
    return max(0, estimated_tokens(text) - delta.tokens) if len(text) > LONG else 0
