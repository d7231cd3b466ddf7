"""How the model writes calls: `name {"argument": …}`, one line a call, from its first character."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a function may be called, as in the OpenAI API."""
GAP = " "
"""Between a name and its arguments; no name holds one, so no name is the beginning of another."""
END = "\n"
"""Between two calls. Arguments are compact JSON, which has no line ends."""


def written_call(name: str, arguments: str) -> str:
    """A call in the model's own form."""
    return f"{name}{GAP}{arguments}"
