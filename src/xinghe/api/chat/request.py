"""A chat request that passed validation: no room after this one looks twice."""

from __future__ import annotations

import msgspec

from xinghe.api.chat.formats import Format
from xinghe.api.chat.searching import WebSearch
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Message, Sampling, ToolUse


class ChatRequest(msgspec.Struct, frozen=True):
    """What was asked, in the vocabulary of the rooms.

    `max_tokens` is what the request or the card allows; what the context leaves is decided when
    the prompt has been counted. `thinking` bounds the chain of thought, 0 where the model shows
    none, and `effort` is the share of it that the platform lets a model think. `user` is the end
    user's id, empty if none; `functions` is the JSON text of the tools, to be moderated. `wants`
    names what the request asks of the model, by parameter; `ignored` names parameters that had
    no effect.
    """

    model: str
    card: ModelCard
    messages: tuple[Message, ...]
    sampling: Sampling
    max_tokens: int
    thinking: int
    effort: float
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool
    user: str
    functions: str
    tools: ToolUse | None
    format: Format | None
    search: WebSearch | None
    wants: tuple[tuple[str, Capability], ...]
    ignored: tuple[str, ...]

    @property
    def shows(self) -> bool:
        """Whether there are pictures in it."""
        return any(message.parts for message in self.messages)

    @property
    def characters(self) -> int:
        """Of the messages, their calls and names included, and the functions."""
        return sum(map(_length, self.messages)) + len(self.functions)


def _length(message: Message) -> int:
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return len(message.content) + len(message.name or "") + calls
