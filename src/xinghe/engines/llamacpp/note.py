"""What the platform tells the built-in model: which weights it is, and what the platform is.

Small models name a vendor that they have read of most. The note is the platform's own: nobody pays
for its tokens, and a client's system message stands behind it.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from xinghe.core import Message

_ABOUT = (
    "Xinghe(星河)是实现了百度AI Studio的星河大模型API的开源软件。"
    "AI Studio(飞桨星河社区)是百度的平台,与其他公司无关。平台的细节不清楚时,直说不知道。"
)
LEAST_CONTEXT = 1024
"""Tokens: of fewer, the note would take too much."""


class Note(msgspec.Struct, frozen=True):
    """The note for a model; `weights` is what its file is called."""

    weights: str

    @property
    def alone(self) -> str:
        """Where the client says nothing of who the model is to be."""
        return f"你是开放权重模型{self.weights},由Xinghe提供服务。{_ABOUT}"

    @property
    def before(self) -> str:
        """Where the client's own system message follows, which decides."""
        return f"(背景:{_ABOUT}下文与此不同的,以下文为准。)\n\n"

    def put_before(self, messages: Sequence[Message]) -> list[Message]:
        """A conversation that begins with the note."""
        if has_system(messages):
            first, *rest = messages
            return [replace(first, content=self.before + first.content), *rest]
        return [Message("system", self.alone), *messages]


def has_system(messages: Sequence[Message]) -> bool:
    """Whether the client's own system message opens a conversation."""
    return bool(messages) and messages[0].role == "system"
