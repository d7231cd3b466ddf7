"""From a conversation to the tokens that the embedded engine reads.

Pictures are made plain, texts are kept from becoming special tokens, the child's own template and
tokenizer do the rest.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import takewhile
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from xinghe.core import Message, Prompt, ToolCall
from xinghe.engines.llamacpp.note import Note, has_system
from xinghe.engines.llamacpp.switch import variables
from xinghe.engines.prompts import base64_of, wire_messages
from xinghe.engines.vision import Vision
from xinghe.pictures import pictures_in
from xinghe.vocabulary import PROBES, Frame, Specials

T = TypeVar("T")
Change = Callable[[str], str]

PIECES_AT_ONCE = 500
OPEN, CLOSE = "<think>", "</think>"
"""How a chain of thought begins and ends in the model's own notation."""


class Rendered(msgspec.Struct):
    """The answer of `/apply-template`."""

    prompt: str


class Tokenized(msgspec.Struct):
    """The answer of `/tokenize`."""

    tokens: list[int]


class Counted(msgspec.Struct):
    """The answer of `/chat/completions/input_tokens`: with pictures, as the engine holds them."""

    input_tokens: int


class Ask(Protocol):
    """One question to the child, and its answer. Raises `EngineError`."""

    def __call__(self, path: str, body: object, kind: type[T]) -> Coroutine[Any, Any, T]: ...


class Prompts:
    """Made for one model file; `vision` where it has a projector, `note` where it gets one."""

    def __init__(self, ask: Ask, *, vision: bool, note: Note | None = None) -> None:
        self.note = note
        self._ours = dict[bool, int]()
        """The tokens of the note, by whether a system message of the client's follows it."""
        self._ask = ask
        self._vision = Vision(decodes=False) if vision else None
        self._special: list[str] = []
        self._compiled: asyncio.Future[Specials] | None = None
        self._frame: Frame | None = None

    def use(self, special: Sequence[str]) -> None:
        """The texts of the special tokens of the file that is loaded now."""
        if list(special) != self._special:
            self._special, self._compiled, self._frame = list(special), None, None

    async def shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The conversation with its pictures as the engine can decode them."""
        return messages if self._vision is None else await self._vision.shown(messages)

    async def noted(
        self, messages: Sequence[Message], opening: str, on: bool | None = None
    ) -> Prompt:
        """The prompt of a conversation that was `shown`, behind the note if there is one."""
        if self.note is None:
            return await self.render(messages, opening, on)
        ours = await self._tokens_of(self.note, followed=has_system(messages))
        prompt = await self.render(self.note.put_before(messages), opening, on)
        length = max(1, prompt.tokens - ours)
        return replace(prompt, tokens=length, bound=length, ours=prompt.tokens - length)

    async def render(
        self, messages: Sequence[Message], opening: str = "", on: bool | None = None
    ) -> Prompt:
        """The prompt of a conversation that was `shown`, with the beginning of its answer.

        `on` is what the template is told of thinking, if anything.
        """
        specials = await self._specials()
        pictures = pictures_in(messages)
        # A prompt with pictures cannot be handed over as tokens, so its texts are spelled.
        change = specials.spelled if pictures else specials.marked
        messages = _with_one_end(messages)
        if any(_suspicious(message, specials.suspects) for message in messages):
            messages = [_with_texts(message, change) for message in messages]
        body = {"messages": await wire_messages(_known(messages)), **variables(on)}
        rendered = await self._ask("/apply-template", body, Rendered)
        text = rendered.prompt + _with_opening(opening, change)
        payload: object
        if pictures:
            length = (await self._ask("/chat/completions/input_tokens", body, Counted)).input_tokens
            if opening:
                ends = await asyncio.gather(self._tokens([text]), self._tokens([rendered.prompt]))
                length += len(ends[0]) - len(ends[1])
            # A marker is random for each child, so that no text can hold one.
            encoded = [await base64_of(each.data) for each in pictures]
            payload = {"prompt_string": text, "multimodal_data": encoded}
        else:
            payload = tokens = await self._tokens(await _gathered(specials.pieces(text)))
            length = len(tokens)
        return Prompt(
            tokens=length,
            bound=length,
            exact=True,
            payload=payload,
            thinks=rendered.prompt.rstrip().endswith(OPEN),  # as of a model that always thinks
        )

    async def tokens(self, text: str, *, framed: bool) -> list[int]:
        """Those of a text, in which nothing is special."""
        specials = await self._specials()
        pieces = await _gathered(specials.pieces(specials.marked(text)))
        tokens = await self._tokens(pieces)
        if framed:
            return tokens
        frame = await self._framed()
        return tokens[len(frame.before) : len(tokens) - len(frame.after)]

    async def aclose(self) -> None:
        if self._vision is not None:
            await self._vision.aclose()

    async def _tokens_of(self, note: Note, *, followed: bool) -> int:
        """By how many tokens a prompt is longer with it: it may stand for the template's own words.

        Of a template that takes no system message, the child puts it before the first question.
        """
        if followed not in self._ours:
            probe = [Message("system", "a")] if followed else []
            probe.append(Message("user", "a"))
            without = (await self.render(probe)).tokens
            with_it = (await self.render(note.put_before(probe))).tokens
            self._ours[followed] = max(0, with_it - without)
        return self._ours[followed]

    async def _specials(self) -> Specials:
        if self._compiled is None:
            # In a thread: thousands of them take a second.
            making = asyncio.to_thread(Specials, self._special)
            self._compiled = asyncio.ensure_future(making)
        return await asyncio.shield(self._compiled)

    async def _tokens(self, pieces: Sequence[str]) -> list[int]:
        """The tokens of a prompt; none is made of characters from both sides of a cut."""
        if len(pieces) == 1:
            return await self._tokenize(pieces[0], framed=True)
        frame = await self._framed()
        return frame.tokens(await self._tokenize(frame.content(pieces), framed=False))

    async def _framed(self) -> Frame:
        if self._frame is None:
            probes = (self._tokenize(text, framed=framed) for text, framed in PROBES)
            self._frame = Frame.of(await asyncio.gather(*probes))
        return self._frame

    async def _tokenize(self, content: str | list[str | int], *, framed: bool) -> list[int]:
        body = {"content": content, "add_special": framed, "parse_special": True}
        return (await self._ask("/tokenize", body, Tokenized)).tokens


async def _gathered(pieces: Iterable[str]) -> list[str]:
    """The pieces of a prompt; a prompt of very many does not hold up others."""
    gathered = []
    for piece in pieces:
        gathered.append(piece)
        if len(gathered) % PIECES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return gathered


def _with_one_end(messages: Sequence[Message]) -> Sequence[Message]:
    """With one message of the assistant at the end: the engine goes on with no more than one."""
    ends = list(takewhile(lambda message: message.role == "assistant", reversed(messages)))
    if len(ends) < 2:
        return messages
    joined = "\n".join(message.content for message in reversed(ends))
    return [*messages[: -len(ends)], replace(ends[0], content=joined, has_content=True)]


def _known(messages: Sequence[Message]) -> list[Message]:
    """The messages in roles that chat templates know: `function` is what `tool` was called."""
    return [
        replace(message, role="tool") if message.role == "function" else message
        for message in messages
    ]


def _suspicious(message: Message, suspects: Callable[[str], bool]) -> bool:
    """Whether one of its texts is; calls always, as their JSON may mean other texts than it is."""
    texts = [message.content, message.name or "", message.tool_call_id or ""]
    texts += [part for part in message.parts if isinstance(part, str)]
    return bool(message.tool_calls) or any(map(suspects, texts))


def _with_texts(message: Message, change: Change) -> Message:
    """The message with each of its texts changed; its role is not one of them."""
    return replace(
        message,
        content=change(message.content),
        parts=tuple(change(part) if isinstance(part, str) else part for part in message.parts),
        name=message.name and change(message.name),
        tool_call_id=message.tool_call_id and change(message.tool_call_id),
        tool_calls=tuple(
            ToolCall(change(call.id), change(call.name), _arguments(call.arguments, change))
            for call in message.tool_calls
        ),
    )


def _with_opening(opening: str, change: Change) -> str:
    """The beginning of an answer, changed but for the tags around its chain of thought."""
    begin = OPEN if opening.startswith(OPEN) else ""
    thought, tag, rest = opening[len(begin) :].rpartition(CLOSE)
    if not tag or rest.strip():
        return begin + change(opening[len(begin) :])
    return begin + change(thought) + tag + rest


def _arguments(text: str, change: Change) -> str:
    """JSON stays JSON, since templates may read it; what is none is a text like any other."""
    try:
        return json.dumps(_changed(json.loads(text), change), ensure_ascii=False)
    except (ValueError, RecursionError):
        return change(text)


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): _changed(each, change) for name, each in value.items()}
    return value
