"""The messages that a chat request may hold (section 4.1.2), in the two dialects.

Their order, and what depends on the model, is looked at behind it: `messages`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.validation import NotEmpty


class TextPart(msgspec.Struct, tag="text"):
    """Text within a message."""

    text: Annotated[str, Meta(description="文字。 The text.")]


class PictureUrl(msgspec.Struct):
    """`http(s)://…` or `data:image/…;base64,…`; `detail` changes nothing."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            description="图片的网址，或 data: 形式的图片。 The picture's address, or its data.",
            extra={"allowed": "an http(s) URL or a data:image/…;base64,… URL"},
        ),
    ]
    detail: Literal["auto", "low", "high"] | None = None


class PicturePart(msgspec.Struct, tag="image_url"):
    """A picture within a user's message (section 5.8)."""

    image_url: PictureUrl | NotEmpty


class RefusalPart(msgspec.Struct, tag="refusal"):
    """What a model said instead of an answer, within an assistant's message."""

    refusal: str


class PastFunction(msgspec.Struct):
    """`arguments` are what a model once wrote: text of any kind."""

    name: NotEmpty
    arguments: Annotated[str, Meta(extra={"allowed": "a string, as it was given"})]


class PastCall(msgspec.Struct):
    """A call that an assistant made."""

    id: NotEmpty
    function: PastFunction
    type: Literal["function"] = "function"


ROLE = Meta(description="谁说的。 Who says it.")
CONTENT = Meta(
    description="内容：文字，或文字与图片的列表（图片只在 user 消息里）。 "
    "What is said: a text, or a list of texts and, of a user, pictures."
)
PARTS = Meta(min_length=1, extra={"allowed": "a list of parts, not an empty one"})


class ChatMessage(msgspec.Struct):
    """`content` may be null only beside `tool_calls`, at `/v1` in each message of an assistant.

    `tool_call_id` is looked at in a tool's message alone: in another it is as good as unknown. So
    is the chain of thought in any but an assistant's, under DeepSeek's name or vLLM's newer one.
    """

    role: str
    content: str | Sequence[TextPart | PicturePart | RefusalPart] | None = None
    name: str | None = None
    tool_calls: list[PastCall] | None = None
    tool_call_id: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class DocumentedMessage(ChatMessage):
    """In the roles of the document."""

    role: Annotated[Literal["system", "user", "assistant", "tool", "function"], ROLE]
    content: Annotated[str | Annotated[list[TextPart | PicturePart], PARTS], CONTENT] | None = None


class OpenAIMessage(ChatMessage):
    """In OpenAI's roles; `developer` is what it calls `system` today.

    An assistant's may hold a refusal, beside its content or as a part of it.
    """

    role: Annotated[Literal["system", "developer", "user", "assistant", "tool", "function"], ROLE]
    content: (
        Annotated[str | Annotated[list[TextPart | PicturePart | RefusalPart], PARTS], CONTENT]
        | None
    ) = None
    refusal: str | None = None
