"""Model files behind a name: loaded by the real engine and asked, or refused in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.tiny import write_tiny
from tests.sources.desk import TEMPLATE, Operator
from tests.sources.stand import Hub
from tests.weights.test_gguf import written
from xinghe.sources import SourceError
from xinghe.sources.memory import free_memory
from xinghe.weights import find


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny-Q4_K_M.gguf", TEMPLATE)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


async def test_a_file_is_loaded_and_asked(operator: Operator, tiny: Path) -> None:
    found = await operator.use("deepseek-v3", str(tiny))
    assert operator.deployment("deepseek-v3") == {
        "engine": "llamacpp",
        "weights": str(tiny),
        "context": 512,
    }
    assert found.trial is not None
    assert 0 < found.trial.tokens <= 16
    assert found.trial.loading > 0
    assert "loaded in" in found.trial.text


async def test_a_model_that_thinks_and_one_that_holds_less(
    operator: Operator, tmp_path: Path
) -> None:
    operator.settings = Operator(tmp_path, context=256).settings
    file = write_tiny(tmp_path / "r1.gguf", TEMPLATE + "{# <think> #}")
    await operator.use("deepseek-r1", str(file), attempt=False)
    table = operator.deployment("deepseek-r1")
    assert (table["thinks"], table["context"]) == (True, 256)
    await operator.use("deepseek-r1", str(file), fields={"context": 128}, attempt=False)
    assert operator.deployment("deepseek-r1")["context"] == 128


async def test_what_is_no_model_is_said(operator: Operator, tmp_path: Path) -> None:
    refusals = {
        str(tmp_path / "gone.gguf"): "there is no file",
        str(tmp_path): "is a folder, allowed: a GGUF file",
        str(written(tmp_path / "v.gguf", "bert")): "not a chat model: it makes vectors",
        str(written(tmp_path / "p.gguf", "clip", general__type="mmproj")): "mmproj",
    }
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04" + bytes(64))
    refusals[str(tmp_path / "x.gguf")] = "not a GGUF file"
    for source, said in refusals.items():
        with pytest.raises(SourceError, match=said):
            await operator.use("deepseek-v3", source)
    with pytest.raises(SourceError, match="not an embedding model"):
        await operator.use("bge-large-zh", str(write_tiny(tmp_path / "t.gguf", "")))
    assert operator.tree == {}


async def test_what_the_engine_cannot_load_is_said_with_its_words(
    operator: Operator, tmp_path: Path
) -> None:
    odd = written(tmp_path / "odd.gguf", "starship")
    with pytest.raises(
        SourceError, match=r"odd\.gguf cannot be loaded: unknown model architecture"
    ):
        await operator.use("deepseek-v3", str(odd))
    whole = write_tiny(tmp_path / "cut.gguf", TEMPLATE)
    whole.write_bytes(whole.read_bytes()[:-4000])
    with pytest.raises(SourceError, match=r"cut\.gguf cannot be loaded: "):
        await operator.use("deepseek-v3", str(whole))


async def test_what_is_too_large_for_the_memory_is_not_loaded(
    operator: Operator, tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meminfo, cgroup = tmp_path / "meminfo", tmp_path / "cgroup"
    meminfo.write_text("MemTotal: 9000000 kB\nMemAvailable:  4000000 kB\n")
    assert free_memory(meminfo, cgroup) == 4_000_000 * 1024
    cgroup.mkdir()
    (cgroup / "memory.max").write_text("100000000\n")
    (cgroup / "memory.current").write_text("60000000\n")
    (cgroup / "memory.stat").write_text("anon 1\nfile 20000000\n")
    assert free_memory(meminfo, cgroup) == 60_000_000
    monkeypatch.setattr("xinghe.sources.memory.free_memory", lambda: 60_000_000)
    with pytest.raises(SourceError, match=r"too large for the memory here: .*60\.0 MB are free"):
        await operator.use("deepseek-v3", str(tiny))
    # It is the context that is too large: the message names one that fits.
    monkeypatch.setattr("xinghe.sources.memory.free_memory", lambda: 300_000_000)
    with pytest.raises(SourceError, match=r"for its context.*; --set context=131072 fits"):
        await operator.use("deepseek-v3", str(tiny), fields={"context": 1_048_576})
    assert operator.tree == {}


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    files = {"tiny-Q4_K_M.gguf": tiny.read_bytes(), "tiny-Q8_0.gguf": b"GGUF" + bytes(99)}
    with Hub(files) as running:
        yield running


@pytest.mark.parametrize("name", ["modelscope", "huggingface"])
async def test_a_repository_is_fetched_and_loaded(hub: Hub, name: str, tmp_path: Path) -> None:
    operator = Operator(tmp_path, hub.url)
    found = await operator.use("deepseek-v3", f"{name}:maker/tiny")
    weights = f"{name}:maker/tiny/tiny-Q4_K_M.gguf"
    assert operator.deployment("deepseek-v3")["weights"] == weights
    assert find(operator.settings, weights) is not None
    assert found.trial is not None
    assert any("Q4_K_M, as llama.cpp and Ollama choose" in line for line in operator.told)
    again = await operator.use("deepseek-r1", f"{name}:maker/tiny:q4_k_m", attempt=False)
    assert again.shared
    assert len(hub.fetched) == 1


async def test_a_repository_s_file_that_is_no_model(hub: Hub, tmp_path: Path) -> None:
    operator = Operator(tmp_path, hub.url)
    with pytest.raises(SourceError, match="version 0"):
        await operator.use("deepseek-v3", "huggingface:maker/tiny/tiny-Q8_0.gguf")
    with pytest.raises(SourceError, match=r"holds no 'Q2_K', allowed: tiny-Q4_K_M\.gguf"):
        await operator.use("deepseek-v3", "huggingface:maker/tiny:Q2_K")
    with pytest.raises(SourceError, match="no repository maker/other"):
        await operator.use("deepseek-v3", "modelscope:maker/other")
    assert operator.tree == {}


async def test_image_models(hub: Hub, tmp_path: Path) -> None:
    operator = Operator(tmp_path, hub.url)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=r"holds no model_index\.json"):
        await operator.use("Stable-Diffusion-XL", str(tmp_path / "folder"))
    with pytest.raises(SourceError, match="a whole repository"):
        await operator.use("Stable-Diffusion-XL", "modelscope:maker/tiny/a.safetensors")
    await operator.use("Stable-Diffusion-XL", "modelscope:maker/tiny", attempt=False)
    assert operator.deployment("Stable-Diffusion-XL") == {
        "engine": "diffusers",
        "weights": "maker/tiny",
        "hub": "modelscope",
    }
