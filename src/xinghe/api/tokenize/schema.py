"""What `POST /v1/tokenize` takes and answers, in vLLM's form."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from xinghe.api.chat.conversation import OpenAIMessage
from xinghe.api.chat.schema import MESSAGES, ChatBody
from xinghe.api.errors import ApiError
from xinghe.api.validation import AnyUser, Form, ModelName, NotEmpty, OnlyFalse, Request

PROMPT = "要数的文本。 The text; either this or messages."
FRAMED = "是否带上提示首尾的特殊 token，默认带。 With the special tokens around a prompt."


class TokenizeRequest(Request, kw_only=True):
    """Either a `prompt`, read as it is, or `messages`, in the model's own template."""

    model: ModelName
    add_special_tokens: Annotated[bool, Meta(description=FRAMED)] | None = None
    return_token_strs: OnlyFalse | None = None
    prompt: Annotated[NotEmpty, Meta(description=PROMPT)] | None = None
    messages: Annotated[list[OpenAIMessage], Meta(min_length=1, description=MESSAGES)] | None = None
    user: AnyUser | None = None
    user_id: AnyUser | None = None

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """Messages are refused as those of a chat are."""
        if path.startswith("messages"):
            return ChatBody.refusal(path, value, allowed)
        return super().refusal(path, value, allowed)


TOKENIZE: Form[TokenizeRequest] = Form(TokenizeRequest)


class Tokenized(msgspec.Struct):
    """`max_model_len` is the context, in tokens."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: None = None
