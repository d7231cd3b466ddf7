"""From Anthropic's messages to those that the rest of the service speaks of.

Roles may come in any order: messages of one role that follow each other are one turn. Behind an
assistant's calls stands what their tools returned.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from xinghe.api.chat.capabilities import forbid
from xinghe.api.chat.messages import PAUSE, unloaded
from xinghe.api.chat.schema import invalid
from xinghe.api.dialect import Dialect
from xinghe.api.errors import refuse, shown
from xinghe.api.messages.blocks import (
    Block,
    Cacheable,
    ImageBlockParam,
    MessageParam,
    SystemBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    UrlSource,
)
from xinghe.catalog import Capability
from xinghe.core import Message, Picture, ToolCall

PICTURED = "[image: it follows]"
"""Stands in the result of a tool for a picture, which only a user's message may hold."""
OF_ROLE = {
    ToolUseBlockParam: "assistant",
    ThinkingBlockParam: "assistant",
    ToolResultBlockParam: "user",
    ImageBlockParam: "user",
}
"""Who may say what not everybody may."""


class Conversation(msgspec.Struct, frozen=True):
    """`pictures` are their places in order; `cached` tells that some block is marked for it."""

    messages: tuple[Message, ...]
    pictures: tuple[str, ...]
    cached: bool


class _Turn(msgspec.Struct):
    """What one side says at a time, as far as it was read."""

    role: str = ""
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Message] = []
    returned: list[str | Picture] = []
    """The pictures among the results, each behind the id of its call."""
    parts: list[str | Picture] = []
    places: list[str] = []
    own_places: list[str] = []


class Reader:
    """Reads the messages of one request to a model, which is `able` to do so much."""

    def __init__(self, model: str, able: frozenset[Capability]) -> None:
        self._model = model
        self._able = able
        self._messages = list[Message]()
        self._pictures = list[str]()
        self._cached = False
        self._turn = _Turn()
        self._open = dict[str, str]()
        """The calls of the last turn that have no result yet, and where each stands."""

    async def read(
        self, system: str | Sequence[SystemBlockParam] | None, sent: Sequence[MessageParam]
    ) -> Conversation:
        """Raises `ApiError` with the place and the rule that was broken."""
        if system:
            self._system("system", system)
        looked_at = 0
        for index, message in enumerate(sent):
            if message.role == "system":
                self._end(f"messages[{index}]")
                self._answered(f"messages[{index}]")
                self._system(f"messages[{index}].content", message.content)
                continue
            if message.role != self._turn.role:
                self._end(f"messages[{index}]")
                self._turn = _Turn(message.role)
            if isinstance(message.content, str):
                self._turn.parts.append(message.content)
                looked_at += 1
            else:
                for at, block in enumerate(message.content):
                    self._block(f"messages[{index}].content[{at}]", block)
                    looked_at += 1
                    if looked_at % PAUSE == 0:
                        await asyncio.sleep(0)
            if looked_at % PAUSE == 0:
                await asyncio.sleep(0)
        self._end("the end")
        self._answered("the end")
        if not any(each.role != "system" for each in self._messages):
            raise invalid("messages hold nothing that was said, allowed: a text or a picture")
        return Conversation(tuple(self._messages), tuple(self._pictures), self._cached)

    def _system(self, where: str, content: str | Sequence[SystemBlockParam | Block]) -> None:
        texts = [content] if isinstance(content, str) else []
        for at, block in enumerate(() if isinstance(content, str) else content):
            if not isinstance(block, SystemBlockParam | TextBlockParam):
                raise invalid(f"{where}[{at}] is no text, allowed: text only")
            self._cached = self._cached or block.cache_control is not None
            texts.append(block.text)
        self._messages.append(Message("system", "\n".join(texts)))

    def _block(self, where: str, block: Block) -> None:
        turn = self._turn
        role = OF_ROLE.get(type(block))
        if role not in (None, turn.role):
            kind = type(block).__struct_config__.tag
            raise invalid(f"{where} is {kind} in a message of {turn.role}, allowed: {role} only")
        if isinstance(block, Cacheable) and block.cache_control is not None:
            self._cached = True
        match block:
            case TextBlockParam():
                turn.parts.append(block.text)
            case ImageBlockParam():
                turn.parts.append(self._picture(where, block))
                turn.own_places.append(f"{where}.source")
            case ThinkingBlockParam():
                turn.thoughts.append(block.thinking)
            case ToolUseBlockParam():
                self._call(where, block)
            case ToolResultBlockParam():
                self._result(where, block)

    def _picture(self, where: str, block: ImageBlockParam) -> Picture:
        if Capability.IMAGES not in self._able:
            raise forbid(Dialect.OPENAI, self._model, where, Capability.IMAGES)
        source = block.source
        if isinstance(source, UrlSource):
            return unloaded(source.url)
        return unloaded(f"data:image/png;base64,{source.data}")

    def _call(self, where: str, block: ToolUseBlockParam) -> None:
        self._check_tools(where)
        if block.id in self._open:
            raise invalid(f"{where}.id is {shown(block.id)} once more, allowed: each id once")
        try:
            arguments = msgspec.json.encode(block.input).decode()
        except RecursionError:
            raise refuse(f"{where}.input", block.input, "an object that is nested less") from None
        self._turn.calls.append(ToolCall(block.id, block.name, arguments))
        self._open[block.id] = where

    def _result(self, where: str, block: ToolResultBlockParam) -> None:
        self._check_tools(where)
        turn, texts = self._turn, list[str]()
        if self._open.pop(block.tool_use_id, None) is None:
            raise invalid(
                f"{where}.tool_use_id is {shown(block.tool_use_id)}, allowed: the id of a tool_use "
                "of the assistant's turn right before, which has no result yet"
            )
        content = block.content or ""
        for at, each in enumerate([] if isinstance(content, str) else content):
            self._cached = self._cached or each.cache_control is not None
            if isinstance(each, TextBlockParam):
                texts.append(each.text)
                continue
            inner = f"{where}.content[{at}]"
            texts.append(PICTURED)
            turn.returned += [f"[{block.tool_use_id}]", self._picture(inner, each)]
            turn.places.append(f"{inner}.source")
        text = content if isinstance(content, str) else "\n".join(texts)
        text = f"Error: {text}" if block.is_error else text
        turn.results.append(Message("tool", text, tool_call_id=block.tool_use_id))

    def _check_tools(self, where: str) -> None:
        if Capability.TOOLS not in self._able:
            raise forbid(Dialect.OPENAI, self._model, where, Capability.TOOLS)

    def _end(self, following: str) -> None:
        """A turn is over: its messages, and whether all calls before it were answered."""
        turn, self._turn = self._turn, _Turn()
        if turn.role == "assistant":
            self._assistant(turn)
        elif turn.role == "user":
            self._answered(following)
            self._user(turn)

    def _assistant(self, turn: _Turn) -> None:
        content = "".join(part for part in turn.parts if isinstance(part, str))
        if not content and not turn.calls:
            return  # as an answer that was withheld is given back
        self._messages.append(
            Message(
                "assistant",
                content,
                tool_calls=tuple(turn.calls),
                has_content=bool(content) or not turn.calls,
                thought="".join(turn.thoughts),
            )
        )

    def _user(self, turn: _Turn) -> None:
        self._messages += turn.results
        parts = [*turn.returned, *turn.parts]
        if not parts:
            return
        self._pictures += [*turn.places, *turn.own_places]
        texts = [part for part in parts if isinstance(part, str)]
        pictured = len(texts) < len(parts)
        self._messages.append(
            Message("user", "\n".join(texts), parts=tuple(parts) if pictured else ())
        )

    def _answered(self, following: str) -> None:
        """Raises `ApiError` where a call has no result."""
        if self._open:
            id_, where = next(iter(self._open.items()))
            raise invalid(
                f"{where}.id is {shown(id_)}, a tool_use without a tool_result before {following}, "
                "allowed: calls that are each answered in the turn right behind them"
            )
