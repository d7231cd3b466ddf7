"""A chain of thought for engines whose model gives none: a pass of its own before the answer."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.core import Delta, Message, ReasoningDelta, TextDelta
from xinghe.generation.note import is_chinese

ASK = {
    True: "(先不要回答。请先写出你的思考过程:问题在问什么,需要注意什么,怎样一步步得到答案。)",
    False: "(Do not answer yet. First write down how you think about it: what is asked, what "
    "matters, and how to get to the answer step by step.)",
}
TELL = {
    True: "(你已经这样思考过了,用户看不到这些:\n{thought}\n\n现在直接回答,不要重复思考过程。)",
    False: "(You have thought about it like this, which the user does not see:\n{thought}\n\nNow "
    "answer directly, without repeating the thoughts.)",
}


def think_note(messages: Sequence[Message]) -> str:
    """Asks for the thoughts, and for nothing else."""
    return ASK[is_chinese(messages)]


def thought_note(messages: Sequence[Message], thought: str) -> str:
    """Hands the thoughts on to the pass that answers."""
    return TELL[is_chinese(messages)].format(thought=thought)


def as_thought(deltas: list[Delta]) -> list[Delta]:
    """The stage that makes a pass a chain of thought: its text is reasoning."""
    return [
        ReasoningDelta(delta.text, delta.tokens) if isinstance(delta, TextDelta) else delta
        for delta in deltas
    ]
