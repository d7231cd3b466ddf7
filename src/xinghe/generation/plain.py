"""JSON on its way out, with its characters written as themselves: `\\u7d2b` becomes 紫."""

from __future__ import annotations

import re

from msgspec.structs import replace

from xinghe.core import Delta, FinishDelta, TextDelta, ToolCallDelta

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BEGUN = r"\\(?:u[0-9a-fA-F]{0,3})?"
_ESCAPE = re.compile(
    rf"(?P<pair>{_HIGH}{_LOW})|(?P<open>(?:{_HIGH}(?:{_BEGUN})?|{_BEGUN})\Z)"
    r"|(?P<one>\\u[0-9a-fA-F]{4})|\\.",
    re.DOTALL,
)
_KEPT = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')
"""What JSON must escape, and lone surrogates (RFC 8259, sections 7 and 8.2)."""


class PlainJson:
    """The stage before moderation, which reads what is written and not what it means.

    The arguments of calls are JSON, and with `text` the answer is. Holds back what may be the
    beginning of an escape; what a cut leaves of one goes out as it is.
    """

    def __init__(self, *, text: bool) -> None:
        self._text = text
        self._held: dict[int | None, str] = {}
        """What was kept back of each call by its index, and of the answer."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta) and self._text:
                out.append(replace(delta, text=self._plain(None, delta.text)))
            elif isinstance(delta, ToolCallDelta):
                arguments = self._plain(delta.index, delta.arguments)
                out.append(replace(delta, arguments=arguments))
            elif isinstance(delta, FinishDelta):
                out += [_rest(index, held) for index, held in self._held.items() if held]
                out.append(delta)
            else:
                out.append(delta)
        return out

    def _plain(self, index: int | None, text: str) -> str:
        text = self._held.get(index, "") + text
        if "\\" not in text:
            self._held[index] = ""
            return text
        begun = [found[0] for found in _ESCAPE.finditer(text) if found["open"]]
        self._held[index] = "".join(begun)
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
