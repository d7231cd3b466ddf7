"""The tokenizer of a llama.cpp server, for the process that it lives in."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence

TIMEOUT = 30.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxy the environment names, this stays on the machine."""


class Tokenizer:
    """Speaks to the server at a loopback address."""

    def __init__(self, address: str, key: str) -> None:
        self._url = f"{address}/tokenize"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def tokens(
        self, content: str | Sequence[str | int], *, framed: bool = False, special: bool = False
    ) -> list[int]:
        """`framed`: with the tokens around a prompt; `special`: with those in the text."""
        body = {"content": content, "add_special": framed, "parse_special": special}
        request = urllib.request.Request(  # noqa: S310 - its own address
            self._url, data=json.dumps(body).encode(), headers=self._headers
        )
        with DIRECT.open(request, timeout=TIMEOUT) as answer:
            tokens: list[int] = json.load(answer)["tokens"]
            return tokens
