"""What cannot be loaded is said in the log, in a sentence, and fails the requests alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.images.diffusion.conftest import PYTHON
from xinghe.images.diffusion.messages import Spec

GOOD = Spec("", "", "http://127.0.0.1:9", "", "", "cpu", "auto")


def said(**fields: object) -> str:
    """The last line of a worker that must end by itself."""
    spec = msgspec.json.encode(msgspec.structs.replace(GOOD, **fields)).decode()
    command = [str(PYTHON), "-m", "xinghe.images.diffusion.worker", spec]
    retries = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **retries},
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "has no model_index.json" in said(weights=str(tmp_path / "gone"))


@pytest.mark.slow
def test_a_folder_that_lacks_a_part(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "unet")
    assert "cannot be loaded" in said(weights=str(tmp_path / "half"))


def test_pickled_weights_are_not_read(tiny: Path, tmp_path: Path) -> None:
    """They could run code."""
    shutil.copytree(tiny, tmp_path / "pickled")
    unet = tmp_path / "pickled" / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model.bin")
    assert "cannot be loaded" in said(weights=str(tmp_path / "pickled"))


@pytest.mark.slow
def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    assert "cannot be loaded" in said(weights=str(tmp_path / "x.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "says"), [("cuda:0", "no usable CUDA"), ("gpu", "no device 'gpu'")]
)
def test_a_device_that_is_not_there(tiny: Path, device: str, says: str) -> None:
    assert says in said(weights=str(tiny), device=device)


@pytest.mark.slow
@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_a_hub_out_of_reach(tmp_path: Path, hub: str) -> None:
    assert "cannot be loaded" in said(weights="someone/sdxl", hub=hub, cache=str(tmp_path))
