"""The blocks that a conversation may be sent in, in Anthropic's form.

What else stands in them (`citations`, `caller`, a `signature`) is passed over.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.validation import NotEmpty


class Cacheable(msgspec.Struct):
    """What `cache_control` may mark, without effect: prompts are cached anyway."""

    cache_control: Any = None


class TextBlockParam(Cacheable, tag="text", kw_only=True):
    """Text within a message."""

    text: Annotated[str, Meta(description="文字。 The text.")]


class SystemBlockParam(Cacheable, kw_only=True):
    """Text of the system prompt."""

    text: Annotated[str, Meta(description="文字。 The text.")]
    type: Literal["text"] = "text"


class Base64Source(msgspec.Struct, tag="base64"):
    """A picture itself; what it is is told by its bytes, not by `media_type`."""

    data: Annotated[NotEmpty, Meta(extra={"allowed": "a picture in base64"})]
    media_type: str | None = None


class UrlSource(msgspec.Struct, tag="url"):
    """A picture that is fetched by the service."""

    url: Annotated[NotEmpty, Meta(extra={"allowed": "an http(s) URL"})]


class ImageBlockParam(Cacheable, tag="image", kw_only=True):
    """A picture, in a user's message or in what a tool has returned."""

    source: Base64Source | UrlSource


class ToolUseBlockParam(Cacheable, tag="tool_use", kw_only=True):
    """A call that an assistant made."""

    id: NotEmpty
    name: NotEmpty
    input: Annotated[dict[str, Any], Meta(extra={"allowed": "an object"})]


class ToolResultBlockParam(Cacheable, tag="tool_result", kw_only=True):
    """What a tool has returned, in a user's message; `is_error`: it has failed."""

    tool_use_id: NotEmpty
    content: str | list[TextBlockParam | ImageBlockParam] | None = None
    is_error: bool | None = None


class ThinkingBlockParam(msgspec.Struct, tag="thinking"):
    """The chain of thought of an earlier answer; nobody looks at its signature."""

    thinking: str


class RedactedThinkingBlockParam(msgspec.Struct, tag="redacted_thinking"):
    """A thought that only Anthropic can read: it is passed over."""


class ServerToolUseBlockParam(Cacheable, tag="server_tool_use"):
    """A search that was made for an earlier answer: it is passed over."""


class WebSearchToolResultBlockParam(Cacheable, tag="web_search_tool_result"):
    """What that search found: it is passed over."""


Block = (
    TextBlockParam
    | ImageBlockParam
    | ToolUseBlockParam
    | ToolResultBlockParam
    | ThinkingBlockParam
    | RedactedThinkingBlockParam
    | ServerToolUseBlockParam
    | WebSearchToolResultBlockParam
)


class MessageParam(msgspec.Struct):
    """One message, in any order of roles; those of one role that follow each other are one."""

    role: Annotated[
        Literal["user", "assistant", "system"], Meta(description="谁说的。 Who says it.")
    ]
    content: Annotated[
        str | list[Block],
        Meta(description="文字，或内容块的列表。 A text, or a list of blocks."),
    ]
