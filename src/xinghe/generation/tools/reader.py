"""Reads calls out of constrained text, wherever the engine cuts it."""

import secrets
import string
from collections.abc import Collection
from typing import Literal

from xinghe.core import Delta, TextDelta, ToolCallDelta
from xinghe.generation.tools.prompt import END, GAP

ALPHABET = string.ascii_lowercase + string.digits
ID_LENGTH = 24


def call_id() -> str:
    """`call_` and 24 random characters of [a-z0-9]: 124 bits, unique without a register."""
    return "call_" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


class CallReader:
    """Text in, `ToolCallDelta`s out; what does not keep to the notation stays text.

    `names` are the functions that may be called. Every token that is fed leaves on one of the
    deltas, and every character outside the calls in a `TextDelta`.
    """

    __slots__ = ("_calls", "_held", "_markers", "_out", "_place", "_tokens")

    def __init__(self, names: Collection[str]) -> None:
        self._markers = {name + GAP: name for name in names}
        self._calls = 0
        self._place: Literal["line", "arguments", "text"] = "line"
        self._held = ""
        self._tokens = 0
        self._out: list[Delta] = []

    @property
    def called(self) -> bool:
        """Whether a function's name has been read."""
        return self._calls > 0

    def feed(self, text: str, tokens: int) -> list[Delta]:
        """The deltas that `text`, made of `tokens` tokens, completes."""
        self._tokens += tokens
        while text:
            text = self._step(text)
        return self._leave()

    def end(self) -> list[Delta]:
        """What was held back: the beginning of a name is text before the first call.

        After one it is a call that the length cut off, and only its tokens are told. A call that
        was cut off in its arguments has those that it has.
        """
        held, self._held = self._held, ""
        shown = "" if self._calls else held
        if shown or self._tokens:
            self._say(shown)
        return self._leave()

    def _step(self, text: str) -> str:
        """Take the beginning of `text`; returns what is left of it."""
        if self._place == "text":
            self._say(text)
            return ""
        if self._place == "arguments":
            here, end, rest = text.partition(END)
            if here:
                self._call(here)
            if end:
                self._place = "line"
            return rest
        line, self._held = self._held + text, ""
        for marker, name in self._markers.items():
            if line.startswith(marker):
                self._calls += 1
                self._call("", call_id(), name)
                self._place = "arguments"
                return line[len(marker) :]
        if any(marker.startswith(line) for marker in self._markers):
            self._held = line
            return ""
        self._place = "text"
        return line

    def _say(self, text: str) -> None:
        self._out.append(TextDelta(text, self._tokens))
        self._tokens = 0

    def _call(self, arguments: str, id_: str | None = None, name: str | None = None) -> None:
        self._out.append(ToolCallDelta(self._calls - 1, id_, name, arguments, self._tokens))
        self._tokens = 0

    def _leave(self) -> list[Delta]:
        out, self._out = self._out, []
        return out
