"""How an unsafe conversation is answered (contract, Safety): without an engine."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.core import CURRENT_ROUND, Delta, FinishDelta, FinishReason, Message, TextDelta
from xinghe.safety import Verdict

WITHHELD = "抱歉,这个话题我不能讨论,我们换一个话题吧。"
"""What stands in place of an answer."""


def rounds(messages: Sequence[Message]) -> list[int]:
    """The 1-based round of each message; the last question and what follows it are current."""
    found: list[int] = []
    asked = 0
    for message in messages:
        asked += message.role in ("user", "function")
        found.append(max(1, asked))
    return [CURRENT_ROUND if round_ == asked else round_ for round_ in found]


def worst_of(verdicts: Sequence[Verdict | None], messages: Sequence[Message]) -> FinishDelta | None:
    """The end of a conversation by the worst of what was found in its messages, if anything."""
    found = [
        FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, round_)
        for verdict, round_ in zip(verdicts, rounds(messages), strict=True)
        if verdict is not None
    ]
    return max(found, key=lambda finish: finish.flag, default=None)


def withheld(finish: FinishDelta) -> list[Delta]:
    """The whole answer."""
    return [TextDelta(WITHHELD, 0), finish]
