"""The names of stored images: nobody can guess one, and each says when it was made.

`<seconds since 1970 in hexadecimal>-<192 random bits>`: so an image expires the same wherever it
is kept, whatever a copy or a restore did to the times of its file.
"""

from __future__ import annotations

import re
import secrets
import time

NAME = re.compile(r"([0-9a-f]{8,11})-[A-Za-z0-9_-]{32}\.png", re.ASCII)


def new_name() -> str:
    """The name of a file that is made now."""
    return f"{int(time.time()):08x}-{secrets.token_urlsafe(24)}.png"


def made_at(name: str) -> int | None:
    """Seconds since 1970; `None` for what is no name of an image."""
    match = NAME.fullmatch(name)
    return int(match[1], 16) if match else None


def seconds_left(name: str, keep: float) -> float:
    """How much longer an image may be served that is kept for `keep` seconds; 0: not at all."""
    made = made_at(name)
    return 0.0 if made is None else max(0.0, made + keep - time.time())
