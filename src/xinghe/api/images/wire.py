"""The shapes of `POST /images/generations` (section 4.2.3)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class ImageData(msgspec.Struct):
    """One image: `url`, or `b64_json`, the base64 of a PNG file."""

    index: int
    url: str | UnsetType = UNSET
    b64_json: str | UnsetType = UNSET


class ImagesAnswer(msgspec.Struct):
    """The answer; `id` at the documented mount only."""

    created: int
    data: list[ImageData]
    id: str | UnsetType = UNSET
