"""How the model writes calls: `name {"argument": …}`, one line a call, from its first character."""

from __future__ import annotations

GAP = " "
"""Between a name and its arguments. No name holds one: no call is the beginning of another."""
END = "\n"
"""Between two calls. Arguments are compact JSON, which has no line ends."""


def written_call(name: str, arguments: str) -> str:
    """A call in the model's own form."""
    return f"{name}{GAP}{arguments}"
