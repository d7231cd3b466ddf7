"""From the items of an input to the messages of a conversation.

Calls that stand together are one message of the assistant, with what it said right before. Behind
them stand the outputs, wherever among the items they were. Of two calls with one id, as models that
number the calls of each turn make them, the earlier has the earlier output.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from xinghe.api.chat.capabilities import forbid
from xinghe.api.chat.messages import PAUSE, unloaded
from xinghe.api.dialect import Dialect
from xinghe.api.errors import shown
from xinghe.api.responses.carried import thought_in
from xinghe.api.responses.items import InputFile, InputImage, Item, Part, RefusalText
from xinghe.api.responses.schema import invalid
from xinghe.api.responses.tools import flat_name
from xinghe.catalog import Capability
from xinghe.core import Message, Picture, ToolCall

CALLS = {"function_call", "custom_tool_call"}
OUTPUTS = {"function_call_output", "custom_tool_call_output"}


class Conversation(msgspec.Struct):
    """The messages that items make, and where the pictures in them stand in the request.

    Pictures among an output are the user's, right behind it: no chat template has a place for them
    in a tool's message.
    """

    model: str
    able: frozenset[Capability]
    messages: list[Message] = []
    pictures: list[str] = []
    _outputs: dict[str, deque[tuple[str, Item]]] = {}
    """Those that no call has had yet, by the id of the call, each with its place."""
    _answered: set[str] = set()
    """The ids of the calls that have had an output."""
    _calls: dict[str, ToolCall] = {}
    _called: str = ""
    """The place of the first of them."""
    _said: Message | None = None
    """An assistant's message that calls may follow."""
    _thought: str = ""

    async def read(self, items: Sequence[Item], before: int) -> None:
        """Take all items, of which so many were kept `before`. Raises `ApiError`."""
        for at, item in enumerate(items, -before):
            if item.kind in OUTPUTS:
                self._keep(_place(at), item)
        for at, item in enumerate(items, -before):
            if at % PAUSE == PAUSE - 1:
                await asyncio.sleep(0)
            self._take(_place(at), item)
        self._end_turn()
        if self._outputs:
            call_id, left = next(iter(self._outputs.items()))
            allowed = "the id of a call before it"
            if call_id in self._answered:
                allowed = "one output for each call"
            raise invalid(f"{left[0][0]}.call_id is {shown(call_id)}, allowed: {allowed}")

    def _keep(self, place: str, item: Item) -> None:
        if not item.call_id:
            raise invalid(f"{place}.call_id is {shown(item.call_id)}, allowed: the id of a call")
        if item.output is None:
            raise invalid(f"{place}.output is null, allowed: a string or a list of parts")
        self._outputs.setdefault(item.call_id, deque()).append((place, item))

    def _take(self, place: str, item: Item) -> None:
        kind = item.kind
        if kind in CALLS:
            self._call(place, item)
            return
        if kind == "reasoning":
            if self._calls:
                self._end_turn()
            self._thought = thought_of(item)
            return
        if kind == "web_search_call":
            return
        self._end_turn()
        if kind == "message":
            self._message(place, item)
        elif kind == "item_reference":
            raise invalid(
                f"{place} refers to {shown(item.id)}, allowed: an item of a response that is kept"
            )

    def _message(self, place: str, item: Item) -> None:
        if item.role is None:
            raise invalid(f"{place}.role is null, allowed: user, assistant, system, developer")
        if item.content is None and item.role != "assistant":
            raise invalid(f"{place}.content is null, allowed: a string or a list of parts")
        # `developer` is what OpenAI calls `system` today; a chat template knows only the latter.
        role = "system" if item.role == "developer" else item.role
        content, parts = self._read_parts(f"{place}.content", item.content or "")
        thought, self._thought = self._thought, ""
        if role == "assistant":
            self._said = Message(role, content, thought=thought)
            return
        if parts and role != "user":
            raise invalid(f"{place}.content holds an input_image, allowed: in messages of user")
        self.messages.append(Message(role, content, parts=parts))

    def _call(self, place: str, item: Item) -> None:
        if Capability.TOOLS not in self.able:
            raise forbid(Dialect.OPENAI, self.model, "tools", Capability.TOOLS)
        if not item.call_id:
            raise invalid(f"{place}.call_id is {shown(item.call_id)}, allowed: an id of its own")
        if not item.name:
            raise invalid(f"{place}.name is {shown(item.name)}, allowed: the name of a tool")
        if item.call_id in self._calls:
            raise invalid(f"{place}.call_id is {shown(item.call_id)}, allowed: an id of its own")
        if item.kind == "function_call":
            field, arguments = "arguments", item.arguments
        else:
            field, arguments = "input", item.input
        if arguments is None:
            raise invalid(f"{place}.{field} is null, allowed: a string")
        if item.kind == "custom_tool_call":
            arguments = msgspec.json.encode({"input": arguments}).decode()
        if not self._calls:
            self._called = place
        name = flat_name(item.name, item.namespace)
        self._calls[item.call_id] = ToolCall(item.call_id, name, arguments)

    def _end_turn(self) -> None:
        """What the assistant has said and called so far is one message; behind it, the outputs."""
        said, self._said = self._said, None
        calls, self._calls = tuple(self._calls.values()), {}
        if said is None and not calls:
            return
        message = said or Message("assistant", "", has_content=False)
        if calls:
            thought, self._thought = message.thought or self._thought, ""
            message = msgspec.structs.replace(message, tool_calls=calls, thought=thought)
        self.messages.append(message)
        returned: list[str | Picture] = []
        for call in calls:
            if call.id not in self._outputs:
                raise invalid(
                    f"{self._called} and what stands beside it: the call {shown(call.id)} has "
                    "no output, allowed: calls that each have one"
                )
            place, output = self._outputs[call.id].popleft()
            if not self._outputs[call.id]:
                del self._outputs[call.id]
            self._answered.add(call.id)
            content, parts = self._read_parts(f"{place}.output", output.output or "")
            self.messages.append(Message("tool", content, tool_call_id=call.id))
            returned += [part for part in parts if isinstance(part, Picture)]
        if returned:
            self.messages.append(Message("user", "", parts=tuple(returned)))

    def _read_parts(
        self, place: str, sent: str | list[Part]
    ) -> tuple[str, tuple[str | Picture, ...]]:
        """All of the text, and the parts where pictures stand among them."""
        if isinstance(sent, str):
            return sent, ()
        parts: list[str | Picture] = []
        for at, part in enumerate(sent):
            if isinstance(part, RefusalText):
                parts.append(part.refusal)
            elif isinstance(part, InputFile):
                raise invalid(f"{place}[{at}] is an input_file, allowed: texts and pictures")
            elif isinstance(part, InputImage):
                parts.append(self._picture(f"{place}[{at}]", part))
            else:
                parts.append(part.text)
        texts = [part for part in parts if isinstance(part, str)]
        return "\n".join(texts), () if len(texts) == len(parts) else tuple(parts)

    def _picture(self, place: str, part: InputImage) -> Picture:
        if Capability.IMAGES not in self.able:
            raise forbid(Dialect.OPENAI, self.model, "input_image", Capability.IMAGES)
        if part.file_id is not None or part.image_url is None:
            raise invalid(f"{place}.image_url is null, allowed: a URL or the picture's data")
        self.pictures.append(f"{place}.image_url")
        return unloaded(part.image_url)


def _place(at: int) -> str:
    """What was kept stands in no field of the request but this one."""
    return "previous_response_id" if at < 0 else f"input[{at}]"


def thought_of(item: Item) -> str:
    """The chain of thought that an item gives back."""
    content = item.content
    texts = content if isinstance(content, list) and content else item.summary or []
    said = [content] if isinstance(content, str) else [getattr(each, "text", "") for each in texts]
    return "\n".join(filter(None, said)) or thought_in(item.encrypted_content or "")
