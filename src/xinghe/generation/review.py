"""A model's look at an answer (`[safety.upstream]`), before it leaves."""

from __future__ import annotations

from xinghe.core import Delta, FinishDelta, ReasoningDelta, TextDelta, ToolCallDelta
from xinghe.generation.gate import filtered
from xinghe.generation.streams import Spoken, rest_of, same_stream, text_of
from xinghe.safety import Moderator, Verdict


class Review:
    """The last stage of a pass: holds text back until the model has cleared it.

    What passed the `Gate` has met the lexicon; this asks the operator's moderation model too.
    Each stream of the answer is a text of its own, and is cleared whole before the next. `close`
    it when the pass is over.
    """

    def __init__(self, moderator: Moderator) -> None:
        self._moderator = moderator
        self._reviewer = moderator.reviewer()
        self._last: Spoken | None = None

    def close(self) -> None:
        self._reviewer.close()

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        shown: list[Delta] = []
        for delta in deltas:
            verdict: Verdict | None = None
            if isinstance(delta, TextDelta | ReasoningDelta | ToolCallDelta):
                verdict = await self._change_over(delta, shown) or await self._take(delta, shown)
            else:
                if isinstance(delta, FinishDelta):
                    verdict = await self._flush(shown)
                if verdict is None:
                    shown.append(delta)
            if verdict is not None:
                return [*shown, filtered(verdict)]
        return shown

    async def _take(self, delta: Spoken, shown: list[Delta]) -> Verdict | None:
        visible, verdict = await self._reviewer.feed(text_of(delta))
        if isinstance(delta, ToolCallDelta) and delta.id is not None:
            # Whose arguments follow is told before they are cleared.
            shown.append(ToolCallDelta(delta.index, delta.id, delta.name, visible))
        elif visible:
            shown.append(rest_of(delta, visible))
        return verdict

    async def _change_over(self, delta: Spoken, shown: list[Delta]) -> Verdict | None:
        last = self._last
        verdict = None
        if last is not None and not same_stream(last, delta):
            verdict = await self._flush(shown)
            self._reviewer = self._moderator.reviewer()
        self._last = delta
        return verdict

    async def _flush(self, shown: list[Delta]) -> Verdict | None:
        """Show what was held back of the stream that ends here."""
        if self._last is None:
            return None
        visible, verdict = await self._reviewer.flush()
        if visible:
            shown.append(rest_of(self._last, visible))
        return verdict
