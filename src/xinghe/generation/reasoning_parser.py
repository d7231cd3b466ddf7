"""Chains of thought between tags (DeepSeek-R1's form): `<think>…</think>`, then the answer."""

from typing import Literal

import msgspec

from xinghe.core import Delta, FinishDelta, ReasoningDelta, TextDelta, UsageDelta
from xinghe.engines import spread

OPEN, CLOSE = "<think>", "</think>"


class ReasoningParser(msgspec.Struct):
    """Turns tagged text into `ReasoningDelta`s and `TextDelta`s, wherever the reads are cut.

    Only a tag that opens the answer counts: later ones are text. `inside` tells that the prompt
    has opened the thought already; some models open it once more all the same. The tokens of the
    tags go to the delta that follows.
    """

    inside: bool
    state: Literal["begin", "thought", "answer", "native"] = "begin"
    held: str = ""
    tokens: int = 0
    trim: bool = True
    """Whether white space stands at a border, where it means nothing."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        if self.state == "answer" and not self.trim:
            return deltas
        out: list[Delta] = []
        for delta in spread(deltas):
            match delta:
                case TextDelta(text, tokens):
                    self.tokens += tokens
                    self.held += text
                    if self.state == "begin":
                        self._begin()
                    if self.state == "thought":
                        self._think(out)
                    if self.state in {"answer", "native"}:
                        self._say(out)
                case ReasoningDelta():
                    # The engine tells them apart by itself: there will be no tags.
                    self.state = "native"
                    out.append(delta)
                case UsageDelta():
                    self.tokens = 0  # it counts what is held, too
                    out.append(delta)
                case FinishDelta():
                    self._flush(out)
                    out.append(delta)
                case _:
                    out.append(delta)
        return out

    def _begin(self) -> None:
        text = self.held.lstrip()
        if text.startswith(OPEN):
            self.state, self.held = "thought", text[len(OPEN) :]
        elif OPEN.startswith(text):
            pass  # it may still become the tag
        elif self.inside:
            self.state = "thought"
        else:
            self.state, self.trim = "answer", False

    def _think(self, out: list[Delta]) -> None:
        if self.trim:
            self.held = self.held.lstrip()
            self.trim = not self.held
        thought, closed, rest = self.held.partition(CLOSE)
        if closed:
            self.state, self.trim, self.held = "answer", True, rest
            self._emit(out, thought.rstrip())
            return
        keep = _possible_end(self.held)
        self._emit(out, self.held[: len(self.held) - keep])
        self.held = self.held[len(self.held) - keep :]

    def _say(self, out: list[Delta]) -> None:
        if self.trim:
            self.held = self.held.lstrip()
            self.trim = not self.held
        if self.held:
            out.append(TextDelta(self.held, self.tokens))
            self.held, self.tokens = "", 0

    def _emit(self, out: list[Delta], thought: str) -> None:
        if thought:
            out.append(ReasoningDelta(thought, self.tokens))
            self.tokens = 0

    def _flush(self, out: list[Delta]) -> None:
        text = self.held
        if self.state == "begin" and self.inside:
            self.state, text = "thought", text.lstrip()
        if self.state == "thought":
            self._emit(out, text.rstrip())
        elif (text and not self.trim) or self.state == "begin":
            out.append(TextDelta(text, self.tokens))
            self.tokens = 0
        if self.tokens:
            # Tokens that show nothing were generated all the same.
            kind = ReasoningDelta if self.state == "thought" else TextDelta
            out.append(kind("", self.tokens))
        self.held, self.tokens = "", 0


def _possible_end(text: str) -> int:
    """How many of the last characters may be the closing tag's beginning, or space before it."""
    body = text
    for length in range(min(len(CLOSE) - 1, len(text)), 0, -1):
        if CLOSE.startswith(text[-length:]):
            body = text[:-length]
            break
    return len(text) - len(body.rstrip())


def as_thought(deltas: list[Delta]) -> list[Delta]:
    """The processor that makes a pass a chain of thought: its text is reasoning."""
    return [
        ReasoningDelta(delta.text, delta.tokens) if isinstance(delta, TextDelta) else delta
        for delta in deltas
    ]
