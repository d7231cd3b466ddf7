"""Constrained text on its way out: JSON in plain characters, and proven before it leaves.

llama.cpp answers 200 with unconstrained text when llguidance cannot compile a grammar, and says
so only on its standard error. So a constraint is checked as well: the text is walked
through the same grammar, byte by byte, in a worker.
"""

import itertools
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta, ToolCallDelta


class InvalidOutput(Exception):
    """An engine's answer is not what it was held to: try again, if nothing of it was shown."""


class SchemaCheck(msgspec.Struct):
    """Holds the last piece of text back until the whole is checked; raises `InvalidOutput`.

    `check` says what is wrong with a text, or `None`. With `whole`, nothing leaves before the
    check: a stream cannot be recalled, and this engine's word is not proven.
    """

    check: Callable[[str], Awaitable[str | None]]
    whole: bool
    texts: list[str] = []
    held: list[Delta] = []

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, _):
                    self.texts.append(text)
                    if self.held and not self.whole:
                        out += self.held
                        self.held.clear()
                    self.held.append(delta)
                case FinishDelta(FinishReason.NORMAL):
                    if await self.check("".join(self.texts)) is not None:
                        # What is wrong quotes the answer, so no log may hold it.
                        raise InvalidOutput
                    out += [*self.held, delta]
                case FinishDelta():
                    out += [*self.held, delta]
                case _:
                    out.append(delta)
        return out


_numbers = itertools.count()


class Walker(Protocol):
    """Walks texts through grammars; `Vetting` is one."""

    async def walk(self, key: str, grammar: str, start: int, text: bytes, account: str) -> bool:
        """Whether `text`, of which `start` bytes are known, keeps to `grammar`."""


class GrammarCheck(msgspec.Struct):
    """Passes on what the grammar allows, piece by piece; raises `InvalidOutput`, `Unverified`."""

    grammar: str
    walker: Walker
    account: str
    key: str = msgspec.field(default_factory=lambda: f"text {next(_numbers)}")
    text: bytes = b""

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        piece = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)).encode()
        if piece:
            known = len(self.text)
            self.text += piece
            if not await self.walker.walk(self.key, self.grammar, known, self.text, self.account):
                raise InvalidOutput
        return deltas


_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BEGUN = r"\\(?:u[0-9a-fA-F]{0,3})?"
_ESCAPE = re.compile(
    rf"(?P<pair>{_HIGH}{_LOW})|(?P<open>(?:{_HIGH}(?:{_BEGUN})?|{_BEGUN})\Z)"
    r"|(?P<one>\\u[0-9a-fA-F]{4})|\\.",
    re.DOTALL,
)
_KEPT = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')
"""What JSON must escape, and lone surrogates (RFC 8259, sections 7 and 8.2)."""


class JsonUnescape(msgspec.Struct):
    """JSON with its characters written as themselves, for moderation to read: `\\u7d2b` becomes 紫.

    The arguments of calls are JSON, and with `text` the answer is. Holds back what may be the
    beginning of an escape; what a cut leaves of one goes out as it is.
    """

    text: bool
    held: dict[int | None, str] = {}
    """What was kept back of each call by its index, and of the answer."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta) and self.text:
                out.append(replace(delta, text=self._plain(None, delta.text)))
            elif isinstance(delta, ToolCallDelta):
                arguments = self._plain(delta.index, delta.arguments)
                out.append(replace(delta, arguments=arguments))
            elif isinstance(delta, FinishDelta):
                out += [_rest(index, held) for index, held in self.held.items() if held]
                out.append(delta)
            else:
                out.append(delta)
        return out

    def _plain(self, index: int | None, text: str) -> str:
        text = self.held.get(index, "") + text
        if "\\" not in text:
            self.held[index] = ""
            return text
        begun = [found[0] for found in _ESCAPE.finditer(text) if found["open"]]
        self.held[index] = "".join(begun)
        return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    if escape["open"]:
        return ""
    if escape["pair"]:
        high, low = int(escape["pair"][2:6], 16), int(escape["pair"][8:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    if escape["one"]:
        character = chr(int(escape["one"][2:], 16))
        return escape[0] if _KEPT.match(character) else character
    return escape[0]


def _rest(index: int | None, held: str) -> Delta:
    return TextDelta(held, 0) if index is None else ToolCallDelta(index, arguments=held)
