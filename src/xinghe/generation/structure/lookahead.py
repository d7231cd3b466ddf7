"""Strings whose pattern looks ahead, or must not match: terminals that meet or exclude texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.expression import Anchored, Group, Look, Sequence

PLAIN = r"[ !#-\[\]-~\u{3040}-\u{30ff}\u{4e00}-\u{9fff}]"
"""A character that JSON writes as itself: in texts of these a pattern reads what it means.

Not all of Unicode: to prove that nothing is left costs by the byte sequences that are possible.
"""
LONG = 64
"""Characters of such a text, unless the schema asks for more: for the same reason."""
REST = rf'/{PLAIN}*"/'
END = '"\\""'
NOTHING = "(/a/ & /b/)"
LONGEST = 20_000
"""Characters of an expression: what follows a choice is written once for each branch."""

TRIED = 24
"""Bytes of the text that shows whether a terminal can be followed."""
_BYTES = LLTokenizer("byte")

Place = Literal["start", "after", "middle"]
"""Where a piece may begin: where the text does, somewhere behind that, or surely not there."""


def matching(branches: tuple[Sequence, ...]) -> str:
    """An expression for the JSON texts, without the first quote, in which a pattern is found.

    It is exact for texts of `PLAIN` characters, so its opposite is, too.
    """
    found: list[str | None] = []
    for sequence in branches:
        found.append(_from(sequence, REST, "start", last=True))
        elsewhere = _from(sequence, REST, "middle", last=True)
        found.append(elsewhere and f"/{PLAIN}+/ {elsewhere}")
    return _either(found) or NOTHING


def tried(body: str) -> None:
    """Follow a terminal for a while, as the engine will.

    Raises `Impossible` for one that admits nothing, and `Unsupported` where the engine's library
    gives up, as it does where proofs grow large.
    """
    grammar = LLMatcher.grammar_from_lark(f"start: T\nT: {body}")
    matcher = LLMatcher(_BYTES, grammar, log_level=0)
    mask = allocate_token_bitmask(1, _BYTES.vocab_size)
    for step in range(TRIED):
        if matcher.is_error() or matcher.is_stopped():
            break
        fill_next_token_bitmask(matcher, mask)
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")[:256])
        if len(allowed) == 0:
            if step == 0 and not matcher.is_error():
                raise Impossible("pattern", "leaves no text that fits")
            break
        # From the middle: letters rather than marks.
        matcher.consume_token(int(allowed[len(allowed) // 2]))
    if matcher.is_error():
        raise Unsupported("pattern", "takes too long to hold to")


def _from(sequence: Sequence, rest: str, place: Place, *, last: bool) -> str | None:
    """The sequence, then `rest`, where it begins at `place`; `None` if nothing can.

    `last` says that `rest` is but what a match leaves over.
    """
    if not sequence:
        return rest
    piece, following = sequence[0], sequence[1:]
    if isinstance(piece, Anchored):
        return _anchored(piece, following, rest, place, last=last)
    behind = place if isinstance(piece, Look) or place == "middle" else "after"
    after = _from(following, rest, behind, last=last)
    if after is None:
        return None
    if isinstance(piece, Look):
        return _looking(piece, after, place)
    if isinstance(piece, Group):
        last = last and not following
        return _either(_from(one, after, place, last=last) for one in piece.branches)
    return f"/{piece}/ {after}"


def _looking(piece: Look, after: str, place: Place) -> str | None:
    """`after`, where what is looked for is ahead, or is not."""
    ahead = _either(_from(one, REST, place, last=True) for one in piece.branches)
    if ahead is None:
        return None if piece.positive else after
    return f"({'' if piece.positive else '~'}{ahead} & ({after}))"


def _anchored(
    piece: Anchored, following: Sequence, rest: str, place: Place, *, last: bool
) -> str | None:
    if piece.mark == "^" and place != "after":
        return _from(following, rest, place, last=last) if place == "start" else None
    if piece.mark == "$" and last and not following:
        return END
    raise Unsupported("pattern", "has an anchor within, which no grammar can hold")


def _either(expressions: Iterable[str | None]) -> str | None:
    possible = [one for one in expressions if one is not None]
    whole = f"({' | '.join(possible)})"
    if len(whole) > LONGEST:
        raise Unsupported("pattern", "looks ahead in too many places")
    return whole if possible else None
