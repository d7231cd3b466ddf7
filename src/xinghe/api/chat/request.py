"""A chat request that passed validation, in the vocabulary of the rest of the service.

What every operation that makes an answer has in common in becoming one stands here, too.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.api.errors import ApiError, Errors
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Message, Sampling, Thinking, ToolUse
from xinghe.generation.search import SearchOptions


class Format(msgspec.Struct, frozen=True):
    """JSON is wanted; `schema` is `None` for any object, `about` what else is said of it."""

    capability: Capability
    schema: dict[str, Any] | None = None
    about: dict[str, Any] = {}


class Fields(msgspec.Struct, frozen=True):
    """Where the parts of a request stand that are looked at when it has been read.

    The parameters of a function by the number of its tool: `tools` are what stands there for the
    functions, where other tools stand among them. `pictures` are the places of the pictures in
    order, where they are not those of `messages`. `called` is what the operation calls `user`,
    `functions` and `system`, where that is something else.
    """

    parameters: str = "tools[{}].function.parameters"
    schema: str = "response_format.json_schema"
    object_schema: str = "response_format.schema"
    tools: tuple[int | str, ...] = ()
    pictures: tuple[str, ...] = ()
    called: dict[str, str] = {}

    def parameters_of(self, number: int) -> str:
        """Of a function by its number among functions."""
        return self.parameters.format(self.tools[number] if self.tools else number)


class ChatRequest(msgspec.Struct, frozen=True):
    """What was asked, in the vocabulary of the rest of the service.

    It `shows` where pictures stand in it. `max_tokens` is what the request or the card allows;
    what the context leaves is decided when the prompt has been counted. `thinking` bounds the
    chain of thought, 0 where the model shows none, and `effort` is the share of it that the
    platform lets a model think; `asked` is what was said of it, for engines that think by
    themselves, in the parameters `switches`. `user` is the end user's id, empty if none;
    `functions` is the JSON text of the tools, to be moderated. `wants` names what the request asks
    of the model, by parameter; `ignored` names parameters that had no effect, `adjusted` those that
    were brought into range. `n` answers are wanted, and with
    `logprobs`, how likely their tokens were, and so many others at the place of each.
    """

    model: str
    card: ModelCard
    messages: tuple[Message, ...]
    shows: bool
    sampling: Sampling
    max_tokens: int
    thinking: int
    effort: float
    asked: Thinking
    switches: tuple[str, ...]
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool
    user: str
    functions: str
    tools: ToolUse | None
    format: Format | None
    search: SearchOptions | None
    wants: tuple[tuple[str, Capability], ...]
    ignored: tuple[str, ...]
    adjusted: tuple[str, ...] = ()
    n: int = 1
    logprobs: int | None = None
    fields: Fields = Fields()

    @property
    def texts(self) -> list[str]:
        """All that a model may read: the functions, and the messages with names and calls."""
        texts = [self.functions]
        for message in self.messages:
            texts += [message.content, message.name or "", message.thought]
            for call in message.tool_calls:
                texts += [call.name, call.arguments]
        return texts


def supported(
    sent: Mapping[str, Any], card: ModelCard, ignored: list[str], defaults: Mapping[str, Any] = {}
) -> Sampling:
    """The sampling parameters of which something was said, without those that the model ignores."""
    given = {name: value for name, value in sent.items() if value is not None}
    ignored += [name for name in given if name in card.ignores]
    chosen = {**defaults, **given}
    return Sampling(**{name: each for name, each in chosen.items() if name not in card.ignores})


def functions_text(tools: Any, functions: Any, most: int) -> str:
    """The tools as they were sent, as JSON text: only where that is not too long to be read."""
    given = [each for each in (tools, functions) if each]
    characters = 0
    todo: list[Any] = list(given)
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            characters += len(node)
        elif isinstance(node, dict):
            todo += [*node, *node.values()]
        elif isinstance(node, list):
            todo += node
    if characters > most:
        raise too_many_characters(most, characters, of="its functions have")
    return msgspec.json.encode(given).decode()


def too_many_characters(most: int, characters: int, *, of: str = "the request has") -> ApiError:
    """The refusal of a request that is longer than its model takes."""
    return ApiError(
        Errors.CHARACTERS_TOO_LONG,
        f"the max input characters is {most}, {of} {characters}",
        param="messages",
    )
