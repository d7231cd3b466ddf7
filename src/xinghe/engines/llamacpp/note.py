"""What the platform tells the built-in model: which weights it is, and what the platform is.

Small models name a vendor that they have read of most. The note is the platform's own: nobody pays
for its tokens, and a client's system message stands behind it.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from xinghe.core import Message

_SERVED = "现在由开源软件Xinghe(星河)提供服务。"
_PLATFORM = (
    "AI Studio(飞桨星河社区)是百度的平台,{framework}与其他公司无关;"
    "Xinghe实现了它的星河大模型API。平台的细节不清楚时,直说不知道。"
)
_FRAMEWORK = "以飞桨(PaddlePaddle)为框架,"
"""Told of it without a role of their own, small models call themselves Baidu's."""
LEAST_CONTEXT = 1024
"""Tokens: of fewer, the note would take too much."""


class Note(msgspec.Struct, frozen=True):
    """The note for a model; `weights` is what its file is called, `origin` who trained it.

    `origin` is empty where that is not known.
    """

    weights: str
    origin: str = ""

    @property
    def alone(self) -> str:
        """Where the client says nothing of who the model is to be."""
        origin = f"是{self.origin}" if self.origin else "是开放权重模型"
        about = _PLATFORM.format(framework="")
        return f"你的名字是{self.weights},{origin}。{_SERVED}{about}"

    @property
    def before(self) -> str:
        """Where the client's own system message follows, which decides."""
        about = _PLATFORM.format(framework=_FRAMEWORK)
        return f"(背景:{_SERVED}{about}下文与此不同的,以下文为准。)\n\n"

    def put_before(self, messages: Sequence[Message]) -> list[Message]:
        """A conversation that begins with the note."""
        if has_system(messages):
            first, *rest = messages
            return [replace(first, content=self.before + first.content), *rest]
        return [Message("system", self.alone), *messages]


def has_system(messages: Sequence[Message]) -> bool:
    """Whether the client's own system message opens a conversation."""
    return bool(messages) and messages[0].role == "system"
