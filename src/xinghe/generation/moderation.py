"""An unsafe conversation is answered without an engine; a model looks at what leaves one."""

from collections.abc import Sequence

from xinghe.core import (
    CURRENT_ROUND,
    Delta,
    FinishDelta,
    FinishReason,
    Message,
    TextDelta,
    ToolCallDelta,
)
from xinghe.generation.filter import Spoken, filtered, rest_of, same_stream, text_of
from xinghe.safety import Moderator, Verdict

REFUSAL = "抱歉,这个话题我不能讨论,我们换一个话题吧。"
"""The answer to an unsafe conversation."""


def worst_of(verdicts: Sequence[Verdict | None], messages: Sequence[Message]) -> FinishDelta:
    """The end of a conversation by the worst of what was found in its messages, something at least.

    It names the 1-based round of the message; the last question and what follows it are current.
    """
    found: list[tuple[Verdict, int]] = []
    asked = 0
    for verdict, message in zip(verdicts, messages, strict=True):
        asked += message.role in ("user", "function")
        if verdict is not None:
            found.append((verdict, max(1, asked)))
    verdict, round_ = max(found, key=lambda each: each[0].flag)
    ban_round = CURRENT_ROUND if round_ == asked else round_
    return FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, ban_round)


def refusal(finish: FinishDelta) -> list[Delta]:
    """All deltas of an answer to an unsafe conversation."""
    return [TextDelta(REFUSAL, 0), finish]


class Review:
    """The last processor of a pass: holds text back until the model has cleared it.

    What passed the filter has met the lexicon; this asks the operator's moderation model too.
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
            if isinstance(delta, Spoken):
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
