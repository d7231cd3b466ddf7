"""What the `input` of `/responses` may hold: messages, calls, their outputs, thoughts."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.api.validation import NotEmpty


class InputText(msgspec.Struct, tag="input_text"):
    """Text of a message, or of what a function returned."""

    text: str


class OutputText(msgspec.Struct, tag="output_text"):
    """Text that a model said."""

    text: str


class PlainText(msgspec.Struct, tag="text"):
    """Text, as chat completions name it."""

    text: str


class SummaryText(msgspec.Struct, tag="summary_text"):
    """A chain of thought, in short."""

    text: str


class ReasoningText(msgspec.Struct, tag="reasoning_text"):
    """A chain of thought."""

    text: str


class RefusalText(msgspec.Struct, tag="refusal"):
    """What a model said instead of an answer."""

    refusal: str


class InputImage(msgspec.Struct, tag="input_image"):
    """A picture: `http(s)://…` or `data:image/…;base64,…`; `detail` changes nothing."""

    image_url: NotEmpty | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(msgspec.Struct, tag="input_file"):
    """Not served."""

    file_id: str | None = None


Part = (
    InputText
    | OutputText
    | PlainText
    | SummaryText
    | ReasoningText
    | RefusalText
    | InputImage
    | InputFile
)
Texts = str | list[Part]


class Item(msgspec.Struct, omit_defaults=True):
    """One item; which of the fields it has depends on its `type`, which is looked at behind it.

    What a built-in tool did is passed over: the answer that came of it says what it found.
    """

    type: (
        Annotated[
            Literal[
                "message",
                "function_call",
                "function_call_output",
                "custom_tool_call",
                "custom_tool_call_output",
                "reasoning",
                "web_search_call",
                "item_reference",
            ],
            Meta(description="哪一种。 What it is; a message where nothing is said."),
        ]
        | None
    ) = None
    id: str | None = None
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Annotated[Texts, Meta(description="内容。 What is said.")] | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: Texts | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None

    @property
    def kind(self) -> str:
        """Its type, where it has none by what it holds."""
        if self.type is None:
            return "item_reference" if self.role is None and self.id else "message"
        return self.type

    @property
    def values(self) -> int:
        """How many there are in it to look at: itself, and its parts."""
        lists = (self.content, self.output, self.summary)
        return 1 + sum(len(each) for each in lists if isinstance(each, list))


items_of = msgspec.json.Decoder(list[Item]).decode
"""The items of a request that is kept."""
