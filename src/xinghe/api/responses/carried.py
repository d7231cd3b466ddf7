"""A thought that a client carries to its next request: `encrypted_content`, where it includes that.

Clients that have nothing kept send this field back, some of them nothing else of a thought. It
holds no secret: the item shows the same thought beside it.
"""

from __future__ import annotations

import base64
import binascii

ENCRYPTED = "reasoning.encrypted_content"
"""What `include` names for it."""
_OURS = "xinghe."


def carried(thought: str) -> str:
    """What the client is given of a thought."""
    return _OURS + base64.b64encode(thought.encode()).decode()


def thought_in(content: str) -> str:
    """The thought in what came back; `""` where it is none of ours, as another provider's is."""
    if not content.startswith(_OURS):
        return ""
    try:
        return base64.b64decode(content.removeprefix(_OURS), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
