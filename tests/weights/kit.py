"""Small weights, and the settings to fetch them with."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from xinghe.settings import Settings, Weights
from xinghe.weights.index import Parts, Weight
from xinghe.weights.store import CachedWeight

CONTENT = b"GGUF" + random.Random(7).randbytes(1_000_000)


def weight(
    content: bytes | None = CONTENT, size: int | None = None, parts: Parts | None = None
) -> Weight:
    """A weight that is verified against `content`, or one of which nothing is known."""
    if content is None:
        return Weight("tiny", "Tiny", "MIT", "tiny.gguf", "maker/tiny", size=size)
    digest = hashlib.sha256(content).hexdigest()
    return Weight(
        "tiny",
        "Tiny",
        "MIT",
        "tiny.gguf",
        "maker/tiny",
        size=size or len(content),
        sha256=digest,
        parts=parts,
    )


def settings(
    cache: Path, url: str = "", modelscope: str = "", huggingface: str = "", path: str = ""
) -> Settings:
    return Settings(
        weights=Weights(
            cache=str(cache), path=path, url=url, modelscope=modelscope, huggingface=huggingface
        )
    )


def place(cache: Path) -> CachedWeight:
    return CachedWeight(cache, "tiny.gguf")


class Notes:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bytes = 0

    def begin(self, title: str, total: int | None) -> None:
        self.notes.append(title)

    def at(self, done: int) -> None:
        self.bytes = done

    def note(self, text: str) -> None:
        self.notes.append(text)

    def end(self) -> None:
        pass
