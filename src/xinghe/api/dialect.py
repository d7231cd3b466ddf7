"""The two dialects: the documented one, and strict OpenAI (contract, Mounts)."""

from __future__ import annotations

import enum

from xinghe.core import FinishReason


class Dialect(enum.Enum):
    """Which form an answer takes and which ranges a request may use."""

    DOCUMENTED = "documented"
    OPENAI = "openai"

    def finish_reason(self, reason: FinishReason) -> str:
        if self is Dialect.OPENAI:
            return _OPENAI.get(reason, reason.value)
        # The document knows of no refusal by the model.
        return "content_filter" if reason is FinishReason.REFUSAL else reason.value


_OPENAI = {
    FinishReason.NORMAL: "stop",
    FinishReason.FUNCTION_CALL: "tool_calls",
    FinishReason.REFUSAL: "stop",
}

MOUNTS = {
    # The alias comes first: the longest prefix that fits is the mount.
    "/llm/lmapi/v3/v1": Dialect.DOCUMENTED,
    "/llm/lmapi/v3": Dialect.DOCUMENTED,
    "/v1": Dialect.OPENAI,
}


def find_mount(path: str) -> tuple[Dialect, str] | None:
    """The dialect of a path and the operation under its mount, or `None`."""
    for prefix, dialect in MOUNTS.items():
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return dialect, path[len(prefix) :]
    return None
