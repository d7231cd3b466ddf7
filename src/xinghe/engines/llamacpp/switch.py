"""Whether a model's chat template can be told to think or not: asked of the server that has it."""

from __future__ import annotations

import json
import urllib.request
from urllib.error import URLError

from xinghe.vocabulary import DIRECT, TIMEOUT

NAMES = ("enable_thinking", "thinking")
"""What chat templates call it; each passes over the other."""
PROBE = [{"role": "user", "content": "a"}]


def variables(on: bool | None) -> dict[str, object]:
    """What a request to render a conversation says of it; nothing where nothing is to be said."""
    return {} if on is None else {"chat_template_kwargs": dict.fromkeys(NAMES, on)}


def has_switch(address: str, key: str) -> bool:
    """Whether it makes a difference to the prompt of a conversation."""
    return _rendered(address, key, on=True) != _rendered(address, key, on=False)


def _rendered(address: str, key: str, *, on: bool) -> str:
    """Empty for a template that cannot write the least of conversations."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({"messages": PROBE, **variables(on)}).encode()
    request = urllib.request.Request(  # noqa: S310 - its own address
        f"{address}/apply-template", data=body, headers=headers
    )
    try:
        with DIRECT.open(request, timeout=TIMEOUT) as answer:
            return str(json.load(answer)["prompt"])
    except (URLError, ValueError, KeyError):
        return ""
