"""The last look at a structured answer: it validates, or it does not leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta
from xinghe.generation.stage import Unkept


class Checked:
    """Keeps the last piece of text back until the whole has been checked; raises `Unkept`.

    `check` says what is wrong with a text, or `None`. With `whole`, nothing leaves before the
    check: a stream cannot be recalled, and this engine's word is not proven.
    """

    def __init__(self, check: Callable[[str], Awaitable[str | None]], *, whole: bool) -> None:
        self._check = check
        self._whole = whole
        self._texts: list[str] = []
        self._kept: list[Delta] = []

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, _):
                    self._texts.append(text)
                    if self._kept and not self._whole:
                        out += self._kept
                        self._kept.clear()
                    self._kept.append(delta)
                case FinishDelta(FinishReason.NORMAL):
                    if await self._check("".join(self._texts)) is not None:
                        # What is wrong quotes the answer, so no log may hold it.
                        raise Unkept
                    out += [*self._kept, delta]
                case FinishDelta():
                    out += [*self._kept, delta]
                case _:
                    out.append(delta)
        return out
