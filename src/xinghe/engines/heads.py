"""What a conversation begins with, as far as a server could have read it before."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from xinghe.outbound.replicas import Head, digest

MOST = 32 * 1024
"""Bytes of a text that are looked at: of what is alike for so long, the rest mostly is, too."""


def head_of(payload: Mapping[str, Any]) -> Head:
    """That of a request in its wire form: its tools and system messages, and what is said first."""
    messages: Sequence[Mapping[str, Any]] = payload["messages"]
    leading = [_text_of(payload["tools"])] if payload.get("tools") else []
    at = 0
    while at < len(messages) and messages[at]["role"] in {"system", "developer"}:
        leading.append(_text_of(messages[at]["content"]))
        at += 1
    first = _text_of(messages[at]["content"]) if at < len(messages) else b""
    return Head(digest(*leading) if leading else b"", digest(*leading, first))


def _text_of(content: object) -> bytes:
    if isinstance(content, str):
        return content[:MOST].encode("utf-8", "surrogatepass")[:MOST]
    if isinstance(content, list):
        return b"".join(map(_part, content))[:MOST]
    return b""


def _part(part: object) -> bytes:
    """Of a picture, its beginning and its length: one is seldom like another in both."""
    if not isinstance(part, dict):
        return b""
    url = part.get("image_url")
    if isinstance(url, dict):
        return f"{str(url.get('url'))[:256]}{len(str(url.get('url')))}".encode()
    text = part.get("text")
    return _text_of(text) if isinstance(text, str) else msgspec.json.encode(part)[:MOST]
