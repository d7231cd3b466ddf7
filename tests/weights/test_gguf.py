"""What a GGUF file says of itself, and what is said of a file that is none."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf
import pytest

from tests.kit.tiny import write_tiny
from xinghe.weights.gguf import GgufError, read_gguf
from xinghe.weights.index import hub_weight, shards


def written(file: Path, architecture: str = "llama", **fields: int | list[int] | str) -> Path:
    writer = gguf.GGUFWriter(file, architecture)
    for name, value in fields.items():
        key = name.replace("__", ".")
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        else:
            writer.add_uint32(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return file


def test_a_model_tells_its_context_and_template(tmp_path: Path) -> None:
    found = read_gguf(write_tiny(tmp_path / "tiny.gguf", "{{ messages }}"))
    assert (found.architecture, found.context, found.template) == ("llama", 512, "{{ messages }}")
    assert (found.is_model, found.embeds) == (True, False)
    assert found.size == (tmp_path / "tiny.gguf").stat().st_size
    # One layer, two heads of 16 for keys and as many for values, two bytes each.
    assert found.cache_bytes(100) == 100 * 2 * (16 + 16) * 2


def test_heads_that_share_keys_and_latent_keys_take_less(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {
        "llama__block_count": 4,
        "llama__embedding_length": 64,
        "llama__attention__head_count": 8,
    }
    shared = written(tmp_path / "a.gguf", **sizes, llama__attention__head_count_kv=2)
    assert read_gguf(shared).cache_bytes(10) == 10 * 4 * 2 * (8 + 8) * 2
    each = written(tmp_path / "b.gguf", **sizes, llama__attention__head_count_kv=[8, 0, 0, 1])
    assert read_gguf(each).cache_bytes(10) == 10 * 9 * (8 + 8) * 2
    latent = written(
        tmp_path / "c.gguf",
        **sizes,
        llama__attention__kv_lora_rank=16,
        llama__rope__dimension_count=4,
    )
    assert read_gguf(latent).cache_bytes(10) == 10 * 4 * 20 * 2


def test_what_is_no_chat_model(tmp_path: Path) -> None:
    vectors = read_gguf(written(tmp_path / "v.gguf", "qwen3", qwen3__pooling_type=3))
    assert vectors.embeds
    assert read_gguf(written(tmp_path / "b.gguf", "bert")).embeds
    projector = read_gguf(written(tmp_path / "p.gguf", "clip", general__type="mmproj"))
    assert not projector.is_model
    assert not read_gguf(written(tmp_path / "l.gguf", "llama", general__type="adapter")).is_model


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs", "git lfs pull"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "little-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "broken"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1), "cut off or broken"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62), "cut off or broken"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<I", 99), "broken"),
    ],
)
def test_what_is_no_gguf_is_said(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(data)
    with pytest.raises(GgufError, match=said):
        read_gguf(file)


def test_a_model_in_parts(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in shards("m-00001-of-00002.gguf"))
    write_tiny(first, "")
    with pytest.raises(GgufError, match=r"m-00002-of-00002\.gguf is missing"):
        read_gguf(first)
    write_tiny(second, "")
    assert read_gguf(first).files == (first, second)
    with pytest.raises(GgufError, match=r"name its first: m-00001-of-00002\.gguf"):
        read_gguf(second)


def test_no_name_of_a_hub_leads_out_of_its_folder() -> None:

    assert hub_weight("modelscope:a/b/../../../x.gguf") is None
    assert hub_weight("modelscope:../b/x.gguf") is None
    assert hub_weight("modelscope:a/b//x.gguf") is None
