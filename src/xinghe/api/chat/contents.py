"""The content of one message: text, or parts of text and pictures (section 5.8)."""

from __future__ import annotations

from typing import Any

from xinghe.api.chat.permissions import forbid
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import shown
from xinghe.catalog import Capability
from xinghe.core import Picture

DETAILS = ("auto", "low", "high")


def read_content(
    index: int, role: str, content: Any, model: str, able: frozenset[Capability]
) -> tuple[str, tuple[str | Picture, ...]]:
    """All of its text, and its parts where pictures stand among them.

    A picture is not loaded yet: its `data` is its URL. Raises `ApiError`.
    """
    where = f"messages[{index}].content"
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list) or not content:
        raise _invalid(f"{where} is {shown(content)}, allowed: a string or a list of parts")
    parts = [_read_part(f"{where}[{at}]", part, model, able) for at, part in enumerate(content)]
    text = "\n".join(part for part in parts if isinstance(part, str))
    if all(isinstance(part, str) for part in parts):
        return text, ()
    if role != "user":
        raise _invalid(f"{where} holds an image_url on a message of {role}, allowed: user only")
    return text, tuple(parts)


def unloaded(url: str) -> Picture:
    """A picture that is still to be loaded from its URL."""
    return Picture(url.encode("utf-8", "surrogatepass"), "", 0, 0)


def _read_part(where: str, part: Any, model: str, able: frozenset[Capability]) -> str | Picture:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        if Capability.IMAGES not in able:
            raise forbid(model, "image_url", Capability.IMAGES)
        return _read_picture(where, part.get("image_url"))
    if kind != "text":
        raise _invalid(f"{where}.type is {shown(kind)}, allowed: text, image_url")
    text = part.get("text")
    if not isinstance(text, str):
        raise _invalid(f"{where}.text is {shown(text)}, allowed: a string")
    return text


def _read_picture(where: str, value: Any) -> Picture:
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str) or not url:
        raise _invalid(
            f"{where}.image_url.url is {shown(url)}, allowed: an http(s) URL or a "
            "data:image/…;base64,… URL"
        )
    detail = value.get("detail") if isinstance(value, dict) else None
    if detail is not None and detail not in DETAILS:
        raise _invalid(
            f"{where}.image_url.detail is {shown(detail)}, allowed: {', '.join(DETAILS)}"
        )
    return unloaded(url)


def _invalid(rule: str) -> ApiError:
    return ApiError(Errors.INVALID_MESSAGES, rule, param="messages")
