"""What cannot be loaded is said in the log, in a sentence, and fails the requests alone."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.images.diffusion.trial import PYTHON, Trial
from xinghe.images.diffusion.messages import Spec

GOOD = Spec("", True, "modelscope", "http://127.0.0.1:9", "", "", "cpu", "auto")

Said = Callable[..., str]
Header = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """The last words of a worker that must end by itself."""
    with Trial(tmp_path_factory.mktemp("home")) as trial:
        yield lambda **fields: trial.refused(msgspec.structs.replace(GOOD, **fields))


def without(single: Path, file: Path, part: str) -> Path:
    """A copy of a single file without the tensors whose names begin so."""
    data = single.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header: Header = json.loads(data[8 : 8 + length])
    kept, tensors, at = {}, b"", 8 + length
    for name, facts in header.items():
        if name == "__metadata__" or name.startswith(part):
            continue
        start, end = facts["data_offsets"]
        kept[name] = {**facts, "data_offsets": [len(tensors), len(tensors) + end - start]}
        tensors += data[at + start : at + end]
    text = json.dumps(kept).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + tensors)
    return file


@pytest.mark.slow
def test_the_process_ends_with_the_sentence(tmp_path: Path) -> None:
    spec = msgspec.json.encode(msgspec.structs.replace(GOOD, weights=str(tmp_path))).decode()
    command = [str(PYTHON), "-m", "xinghe.images.diffusion.worker", spec]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "has no model_index.json" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["gone", "gone.safetensors"])
def test_what_is_not_there(said: Said, tmp_path: Path, name: str) -> None:
    assert said(weights=str(tmp_path / name)) == f"there is no {tmp_path / name}"


def test_a_folder_of_another_format(said: Said, tmp_path: Path) -> None:
    assert "has no model_index.json" in said(weights=str(tmp_path))


def test_a_folder_that_lacks_a_part(said: Said, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "unet")
    assert "cannot be loaded" in said(weights=str(tmp_path / "half"))


def test_pickled_weights_are_not_read(said: Said, tiny: Path, config: Path, tmp_path: Path) -> None:
    """They could run code."""
    shutil.copytree(tiny, tmp_path / "pickled")
    unet = tmp_path / "pickled" / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model.bin")
    assert "cannot be loaded" in said(weights=str(tmp_path / "pickled"))
    (tmp_path / "x.ckpt").write_bytes(b"PK\x03\x04")
    assert "no .safetensors file" in said(weights=str(tmp_path / "x.ckpt"), config=str(config))


@pytest.mark.parametrize("cut", [-1000, 3])
def test_a_damaged_single_file(
    said: Said, single: Path, config: Path, tmp_path: Path, cut: int
) -> None:
    file = tmp_path / "cut.safetensors"
    file.write_bytes(single.read_bytes()[:cut])
    assert "is damaged" in said(weights=str(file), config=str(config))


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("", "has no model.diffusion_model.*: it is not Stable Diffusion XL in one file"),
        ("first_stage_model.", "has no first_stage_model.*"),
        ("conditioner.embedders.0.", "has no conditioner.embedders.0.transformer.*"),
        ("conditioner.embedders.1.", "has no conditioner.embedders.1.model.*"),
        ("model.diffusion_model.out.2.weight", "lacks some of its tensors"),
        ("first_stage_model.decoder.mid.", "lacks some of its tensors"),
        ("conditioner.embedders.1.model.text_projection", "lacks some of its tensors"),
        ("conditioner.embedders.1.model.positional_embedding", "cannot be loaded"),
    ],
)
def test_a_single_file_that_lacks_something(
    said: Said, single: Path, config: Path, tmp_path: Path, part: str, says: str
) -> None:
    file = without(single, tmp_path / "poor.safetensors", part)
    assert says in said(weights=str(file), config=str(config))


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
@pytest.mark.parametrize(
    ("endpoint", "says"), [("", "is empty"), ("http://127.0.0.1:9", "cannot be fetched")]
)
def test_a_single_file_alone_where_no_hub_is_in_reach(
    said: Said, single: Path, tmp_path: Path, hub: str, endpoint: str, says: str
) -> None:
    told = said(weights=str(single), hub=hub, endpoint=endpoint, cache=str(tmp_path))
    assert "set `config` to a folder" in told
    assert says in told


def test_a_config_that_is_not_there(said: Said, single: Path, tmp_path: Path) -> None:
    told = said(weights=str(single), config=str(tmp_path))
    assert "`config`" in told
    assert "model_index.json" in told


@pytest.mark.parametrize(
    ("device", "says"), [("cuda:0", "no usable CUDA"), ("gpu", "no device 'gpu'")]
)
def test_a_device_that_is_not_there(said: Said, tiny: Path, device: str, says: str) -> None:
    assert says in said(weights=str(tiny), device=device)
