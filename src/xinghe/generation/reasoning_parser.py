"""Chains of thought between tags (DeepSeek-R1's form): `<think>…</think>`, then the answer."""

from __future__ import annotations

from xinghe.core import Delta, FinishDelta, ReasoningDelta, TextDelta, UsageDelta

OPEN, CLOSE = "<think>", "</think>"


class ReasoningParser:
    """Turns tagged text into `ReasoningDelta`s and `TextDelta`s, wherever the reads are cut.

    Only a tag that opens the answer counts: later ones are text. `inside` tells that the prompt
    has opened the thought already; some models open it once more all the same. The tokens of the
    tags go to the delta that follows.
    """

    __slots__ = ("_held", "_inside", "_state", "_tokens", "_trim")

    def __init__(self, *, inside: bool) -> None:
        self._inside = inside
        self._state = "begin"
        self._held = ""
        self._tokens = 0
        self._trim = True
        """Whether white space stands at a border, where it means nothing."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        if self._state == "answer" and not self._trim:
            return deltas
        out: list[Delta] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, tokens):
                    self._tokens += tokens
                    self._held += text
                    self._divide(out)
                case ReasoningDelta():
                    # The engine tells them apart by itself: there will be no tags.
                    self._state = "native"
                    out.append(delta)
                case UsageDelta():
                    self._tokens = 0  # it counts what is held, too
                    out.append(delta)
                case FinishDelta():
                    self._flush(out)
                    out.append(delta)
                case _:
                    out.append(delta)
        return out

    def _divide(self, out: list[Delta]) -> None:
        if self._state == "begin":
            self._begin()
        if self._state == "thought":
            self._think(out)
        if self._state in {"answer", "native"}:
            self._say(out)

    def _begin(self) -> None:
        text = self._held.lstrip()
        if text.startswith(OPEN):
            self._state, self._held = "thought", text[len(OPEN) :]
        elif OPEN.startswith(text):
            pass  # it may still become the tag
        elif self._inside:
            self._state = "thought"
        else:
            self._state, self._trim = "answer", False

    def _think(self, out: list[Delta]) -> None:
        if self._trim:
            self._held = self._held.lstrip()
            self._trim = not self._held
        thought, closed, rest = self._held.partition(CLOSE)
        if closed:
            self._state, self._trim, self._held = "answer", True, rest
            self._emit(out, thought.rstrip())
            return
        keep = _possible_end(self._held)
        self._emit(out, self._held[: len(self._held) - keep])
        self._held = self._held[len(self._held) - keep :]

    def _say(self, out: list[Delta]) -> None:
        if self._trim:
            self._held = self._held.lstrip()
            self._trim = not self._held
        if self._held:
            out.append(TextDelta(self._held, self._tokens))
            self._held, self._tokens = "", 0

    def _emit(self, out: list[Delta], thought: str) -> None:
        if thought:
            out.append(ReasoningDelta(thought, self._tokens))
            self._tokens = 0

    def _flush(self, out: list[Delta]) -> None:
        text = self._held
        if self._state == "begin" and self._inside:
            self._state, text = "thought", text.lstrip()
        if self._state == "thought":
            self._emit(out, text.rstrip())
        elif (text and not self._trim) or self._state == "begin":
            out.append(TextDelta(text, self._tokens))
            self._tokens = 0
        if self._tokens:
            # Tokens that show nothing were generated all the same.
            kind = ReasoningDelta if self._state == "thought" else TextDelta
            out.append(kind("", self._tokens))
        self._held, self._tokens = "", 0


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
