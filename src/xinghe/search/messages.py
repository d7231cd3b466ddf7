"""What the reader of files is asked, and what it answers."""

from __future__ import annotations

from typing import Literal

import msgspec


class Extraction(msgspec.Struct):
    """A file to read."""

    kind: Literal["html", "pdf"]
    data: bytes


class Extracted(msgspec.Struct):
    """What it says; `title` is empty where the file names none."""

    title: str
    text: str
