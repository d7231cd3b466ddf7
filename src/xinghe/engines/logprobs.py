"""How likely an upstream says that its tokens were (`logprobs` of OpenAI's form)."""

import math
from typing import Any

import msgspec
from msgspec.structs import replace

from xinghe.core import Delta, TextDelta, TokenLogprob
from xinghe.outbound import UNREADABLE, decoded

LEAST = -9999.0
"""The logarithm of a probability of 0, as OpenAI has it: JSON knows no infinity."""
MOST_TOKENS = 4096
"""Of one event."""
MOST_BYTES = 1024
"""Of one token."""


class _Token(msgspec.Struct):
    token: str = ""
    logprob: float | None = None
    bytes: Any = None
    top_logprobs: Any = None

    def told(self, others: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
        sound = self.logprob is not None and math.isfinite(self.logprob)
        likely = max(LEAST, self.logprob) if sound and self.logprob is not None else LEAST
        return TokenLogprob(self.token[:MOST_BYTES], self._raw(), likely, others)

    def _raw(self) -> "bytes":
        if isinstance(self.bytes, list) and len(self.bytes) <= MOST_BYTES:
            try:
                return bytes(self.bytes)
            except (TypeError, ValueError):
                pass
        return self.token[:MOST_BYTES].encode("utf-8", "surrogatepass")


class _Told(msgspec.Struct):
    content: list[_Token] | None = None


def with_logprobs(deltas: list[Delta], began: int, raw: msgspec.Raw, most: int) -> None:
    """Put what an event tells to the last text that it has said, with `most` others a token.

    What cannot be read is passed over: the text itself is sound.
    """
    said = next(
        (at for at in range(len(deltas) - 1, began - 1, -1) if isinstance(deltas[at], TextDelta)),
        None,
    )
    if said is None:
        return
    try:
        content = decoded(raw, _Told).content or []
        tokens = tuple(each.told(_others(each, most)) for each in content[:MOST_TOKENS])
    except (*UNREADABLE, TypeError):
        return
    text = deltas[said]
    assert isinstance(text, TextDelta)
    deltas[said] = replace(text, logprobs=tokens)


def _others(token: _Token, most: int) -> tuple[TokenLogprob, ...]:
    if not isinstance(token.top_logprobs, list):
        return ()
    found = msgspec.convert(token.top_logprobs[:most], list[_Token])
    return tuple(each.told() for each in found)
