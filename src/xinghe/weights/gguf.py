"""What a GGUF file says of itself: the metadata at its beginning, without its weights."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from xinghe.weights.index import MAGIC, SHARD, WeightsError, shards

_STRING, _ARRAY = 8, 9
_FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The types of values by their number, as `struct` has them."""
MOST_FIELDS, MOST_TEXT, MOST_LISTED = 100_000, 64 * 1024 * 1024, 4096
"""Of a file: fields, bytes of a text, items of an array that are kept (a vocabulary is not)."""
HALF = 2
"""Bytes of a number in the cache of keys and values."""
EMBEDDING_ONLY = ("bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2",
                  "jina-bert-v3", "modern-bert", "t5encoder", "gemma-embedding")  # fmt: skip
"""Architectures that make vectors and write no text."""


class GgufError(WeightsError):
    """A file that is no model that can be served; the message says why."""


class Gguf(msgspec.Struct, frozen=True):
    """A model's metadata; `context` is what it was trained for, in tokens, 0 if it does not say."""

    files: tuple[Path, ...]
    fields: dict[str, Any]

    @property
    def architecture(self) -> str:
        return str(self.fields.get("general.architecture", ""))

    @property
    def title(self) -> str:
        return str(self.fields.get("general.name", ""))

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(each.stat().st_size for each in self.files)

    @property
    def context(self) -> int:
        return self._number("context_length")

    @property
    def template(self) -> str:
        """How a conversation is written for it; empty where it has not learnt any."""
        return str(self.fields.get("tokenizer.chat_template", ""))

    @property
    def embeds(self) -> bool:
        """Whether it makes vectors: it says how, or its architecture does nothing else."""
        pooling = f"{self.architecture}.pooling_type" in self.fields
        return pooling or self.architecture in EMBEDDING_ONLY

    @property
    def is_model(self) -> bool:
        """Not a projector, an adapter, or the statistics of a quantization."""
        kind = self.fields.get("general.type", "model")
        return kind == "model" and self.architecture not in {"clip", ""}

    def cache_bytes(self, context: int) -> int:
        """About what the keys and values of so many tokens take; 0 where the file does not say."""
        layers, heads = self._number("block_count"), self._number("attention.head_count")
        width = self._number("embedding_length")
        if rank := self._number("attention.kv_lora_rank"):  # keys and values are one vector
            return context * layers * (rank + self._number("rope.dimension_count")) * HALF
        if not (layers and heads):
            return 0
        each = width // heads
        sizes = (self._number(f"attention.{name}_length") or each for name in ("key", "value"))
        shared = self.fields.get(f"{self.architecture}.attention.head_count_kv", heads)
        kept = sum(shared) if isinstance(shared, list) else layers * int(shared)
        return context * kept * sum(sizes) * HALF

    def _number(self, name: str) -> int:
        found = self.fields.get(f"{self.architecture}.{name}", 0)
        if isinstance(found, list):
            found = max(found, default=0)
        return int(found) if isinstance(found, int | float) else 0


def read_gguf(path: Path) -> Gguf:
    """The metadata of a model's first file. Raises `GgufError`."""
    cut = SHARD.fullmatch(path.name)
    files = tuple(path.with_name(each) for each in shards(path.name))
    if cut and int(cut[2]) != 1:
        raise GgufError(f"{path} is a part of a model; name its first: {files[0].name}")
    if missing := [each.name for each in files if not each.is_file()]:
        raise GgufError(f"{path}: {missing[0]} is missing, which is another part of the same model")
    try:
        with path.open("rb") as file:
            return Gguf(files, _fields(path, file))
    except OSError as error:
        raise GgufError(f"{path} cannot be read: {error.strerror}") from error
    except (struct.error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise GgufError(f"{path} is cut off or broken: its metadata cannot be read") from error


def _fields(path: Path, file: BinaryIO) -> dict[str, Any]:
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise GgufError(f"{path} is not a GGUF file{_what_it_is(magic)}")
    version, _, count = _read(file, "I"), _read(file, "Q"), _read(file, "Q")
    if not 2 <= version <= 3:
        raise GgufError(f"{path} is GGUF of version {version}, allowed: 2, 3 (little-endian)")
    if count > MOST_FIELDS:
        raise GgufError(f"{path} is broken: it says that it has {count} fields")
    fields = {}
    for _ in range(count):
        name = _text(file)
        fields[name] = _value(file, _read(file, "I"))
    return fields


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _read(file, _form(kind))
    inner, length = _read(file, "I"), _read(file, "Q")
    if inner == _STRING:
        for _ in range(length):
            file.seek(_read(file, "Q"), 1)
        return None
    if length > MOST_LISTED:
        file.seek(length * struct.calcsize(_form(inner)), 1)
        return None
    return [_read(file, _form(inner)) for _ in range(length)]


def _form(kind: int) -> str:
    if kind not in _FORMS:
        raise struct.error(f"{kind} is no type of a value")
    return _FORMS[kind]


def _read(file: BinaryIO, form: str) -> Any:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(form)))[0]


def _text(file: BinaryIO) -> str:
    length = _read(file, "Q")
    data = file.read(length) if length <= MOST_TEXT else b""
    if len(data) != length:
        raise struct.error("a text is longer than the file")
    return str(data, "utf-8")


def _what_it_is(begin: bytes) -> str:
    if begin[:2] == b"PK":
        return ", but a zip archive or PyTorch weights"
    if begin.lstrip()[:1] == b"<":
        return ", but a web page: the download went wrong"
    if begin == b"vers":
        return ", but a pointer of Git LFS: `git lfs pull` brings the file"
    return ""
