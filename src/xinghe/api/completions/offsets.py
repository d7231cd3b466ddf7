"""How likely the tokens of a text were, in the older form: beside each where it begins."""

from codecs import getincrementaldecoder
from collections.abc import Sequence

from xinghe.api.completions.schema import TextLogprobs
from xinghe.core import TokenLogprob

_decoder = getincrementaldecoder("utf-8")


class Offsets:
    """Of one text, piece by piece; of each token `most` of the likeliest are told.

    `most` is `None` where nothing is to be told.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._decoder = _decoder("replace")
        self._at = 0

    def told(self, tokens: Sequence[TokenLogprob]) -> TextLogprobs | None:
        """Of the tokens behind those that were told before."""
        if self._most is None:
            return None
        offsets = list[int]()
        for each in tokens:
            offsets.append(self._at)
            self._at += len(self._decoder.decode(each.bytes))
        top = [
            {name_of(one): one.logprob for one in (*each.top[: self._most], each)}
            for each in tokens
        ]
        return TextLogprobs(
            [name_of(each) for each in tokens],
            [each.logprob for each in tokens],
            top if self._most else None,
            offsets,
        )


def name_of(token: TokenLogprob) -> str:
    """Its text; its bytes, as OpenAI writes them, where it ends within a character."""
    try:
        return token.bytes.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{each:02x}" for each in token.bytes)
