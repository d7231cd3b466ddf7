"""The tokens of a GGUF file, whatever else is in it."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from xinghe.vocabulary.file import tokens_of

TEXTS = ["<unk>", "星", "a" * 300, ""]
KINDS = [2, 1, 1, 6]


def written(file: Path, *, texts: list[str] | None = None, kinds: list[int] | None = None) -> str:
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_chat_template("tokenizer.ggml.tokens")  # a value may be called like a key
    writer.add_bool("general.flag", True)
    writer.add_float64("general.float", 0.5)
    writer.add_array("general.numbers", [1.5, 2.5])
    writer.add_array("general.words", ["a", "b"])
    if texts is not None:
        writer.add_token_list(texts)
    writer.add_uint16("general.between", 1)
    if kinds is not None:
        writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return str(file)


def test_every_token_is_read_with_its_type(tmp_path: Path) -> None:
    file = written(tmp_path / "all.gguf", texts=TEXTS, kinds=KINDS)
    assert tokens_of(file) == [
        (text.encode(), kind) for text, kind in zip(TEXTS, KINDS, strict=True)
    ]


def test_without_types_all_are_normal_and_there_may_be_none(tmp_path: Path) -> None:
    file = written(tmp_path / "untyped.gguf", texts=TEXTS)
    assert tokens_of(file) == [(text.encode(), 1) for text in TEXTS]
    assert tokens_of(written(tmp_path / "none.gguf")) == []


@pytest.mark.parametrize("size", [4, 12, 30, 150])
def test_what_is_cut_off_or_something_else_is_no_gguf_file(tmp_path: Path, size: int) -> None:
    whole = Path(written(tmp_path / "whole.gguf", texts=TEXTS, kinds=KINDS)).read_bytes()
    file = tmp_path / "broken.gguf"
    for data in (whole[:size], b"PK" + whole[2:], whole[:24] + b"\xff" * 8 + whole[32:]):
        file.write_bytes(data)
        with pytest.raises(ValueError, match="is no GGUF file"):
            tokens_of(str(file))
