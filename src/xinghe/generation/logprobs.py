"""Log probabilities of an answer's tokens, given with the text that they make up.

The processors between cut and hold back text, and make deltas anew. So what an engine tells of its
tokens is taken from its deltas first, and put to those that are shown last.
"""

from collections import deque

from msgspec.structs import replace

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
)
from xinghe.generation.reasoning_parser import CLOSE

WHOLE = {FinishReason.NORMAL, FinishReason.LENGTH}
"""The ends at which all of the text was shown."""


class Logprobs:
    """Two processors: `take` comes first, `give` last."""

    def __init__(self) -> None:
        self._tokens: deque[TokenLogprob] = deque()
        self._shown = 0
        """Bytes of text that were shown, and whose tokens have not been given."""
        self._thought = False

    def take(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._tokens += delta.logprobs
        return deltas

    def give(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._drop_thought()
                self._shown += len(delta.text.encode("utf-8", "surrogatepass"))
                out.append(replace(delta, logprobs=self._covered()))
                continue
            if isinstance(delta, ReasoningDelta):
                self._thought = True
            elif isinstance(delta, FinishDelta) and delta.reason in WHOLE and self._tokens:
                out.append(TextDelta("", 0, tuple(self._tokens)))
                self._tokens.clear()
            out.append(delta)
        return out

    def _covered(self) -> tuple[TokenLogprob, ...]:
        """The tokens that all of what was shown is made of."""
        covered = []
        while self._tokens and len(self._tokens[0].bytes) <= self._shown:
            token = self._tokens.popleft()
            self._shown -= len(token.bytes)
            covered.append(token)
        return tuple(covered)

    def _drop_thought(self) -> None:
        """The tokens of a thought that stood in the text, with its tags, are no answer's."""
        if not self._thought:
            return
        self._thought = False
        text = b"".join(token.bytes for token in self._tokens)
        end = text.find(CLOSE.encode())
        if end < 0:
            return  # an engine that tells thoughts apart has told nothing of their tokens
        end += len(CLOSE)
        end += len(text[end:]) - len(text[end:].lstrip())
        while self._tokens and end > 0:
            end -= len(self._tokens.popleft().bytes)
