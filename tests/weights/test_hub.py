"""Repositories of the hubs: which file is meant, how it is fetched, what is said where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.stand import Hub
from tests.weights.kit import Notes, settings
from xinghe.settings import Settings
from xinghe.weights import WeightsError, find
from xinghe.weights.fetch import fetch, fetch_weight
from xinghe.weights.hub import choose, models_of, quantization

DATA = b"GGUF" + bytes(200_000)
HUBS = ("modelscope", "huggingface")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub({}) as running:
        yield running


def at(hub: Hub, cache: Path) -> Settings:
    return settings(cache, modelscope=hub.url, huggingface=hub.url)


@pytest.mark.parametrize("name", HUBS)
async def test_of_several_quantizations_that_which_peers_take(
    hub: Hub, name: str, tmp_path: Path
) -> None:
    hub.files = {
        "tiny-IQ2_XS.gguf": DATA,
        "tiny-Q8_0.gguf": DATA,
        "sub/tiny-q4_k_m.gguf": DATA,
        "mmproj-F16.gguf": DATA,
        "README.md": b"",
    }
    hub.paged = True
    models = await models_of(at(hub, tmp_path), name, "maker/tiny")
    assert [each.quantization for each in models] == ["Q4_K_M", "IQ2_XS", "Q8_0"]
    chosen, why = choose(models)
    assert chosen.name == f"{name}:maker/tiny/sub/tiny-q4_k_m.gguf"
    assert chosen.files[0].sha256 is not None
    assert all(each in why for each in ("Q4_K_M", "llama.cpp", "tiny-Q8_0.gguf"))
    assert choose(models, "q8_0")[0].path == "tiny-Q8_0.gguf"
    assert choose(models, "tiny-IQ2_XS.gguf")[0].path == "tiny-IQ2_XS.gguf"
    with pytest.raises(WeightsError, match=r"no 'Q5_K_M', allowed: .*tiny-Q8_0\.gguf \(0\.2 MB\)"):
        choose(models, "Q5_K_M")
    first, why = choose(models[1:])
    assert first.path == "tiny-IQ2_XS.gguf"
    assert "the first" in why


@pytest.mark.parametrize("name", HUBS)
async def test_a_model_in_parts_is_fetched_whole_resumed_and_found(
    hub: Hub, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.weights.http.RETRY_DELAYS", (0.01,))
    parts = [f"q/t-0000{part}-of-00002.gguf" for part in (1, 2)]
    hub.files = dict.fromkeys(parts, DATA)
    here = at(hub, tmp_path)
    (model,) = await models_of(here, name, "maker/tiny")
    assert model.size == 2 * len(DATA)
    assert find(here, model.name) is None
    hub.cut = 70_000
    paths = [await fetch_weight(here, each, Notes()) for each in model.files]
    assert hub.fetched == [(parts[0], None), (parts[0], "bytes=70000-"), (parts[1], None)]
    assert paths[0].parent == tmp_path / name / "maker/tiny/q"
    assert all(each.read_bytes() == DATA for each in paths)
    assert find(here, model.name) == paths[0]
    assert await fetch(here, model.name, Notes()) == paths[0]


async def test_a_wrong_file_is_deleted(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"t.gguf": DATA}
    here = at(hub, tmp_path)
    (model,) = await models_of(here, "huggingface", "maker/tiny")
    hub.files = {"t.gguf": DATA[:-1] + b"x"}
    with pytest.raises(WeightsError, match="a wrong file"):
        await fetch_weight(here, model.files[0], Notes())
    assert find(here, model.name) is None


@pytest.mark.parametrize("name", HUBS)
async def test_what_is_not_there_is_said(hub: Hub, name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no repository maker/gone, or it is not public"):
        await models_of(at(hub, tmp_path), name, "maker/gone")
    hub.files = {"model.safetensors": DATA}
    with pytest.raises(WeightsError, match="no GGUF file"):
        choose(await models_of(at(hub, tmp_path), name, "maker/tiny"))
    away = settings(tmp_path, modelscope="http://127.0.0.1:9", huggingface="http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=f"{name} cannot be reached at http://127.0.0.1:9"):
        await models_of(away, name, "maker/tiny")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("a/DeepSeek-V3-UD-IQ1_S-00001-of-00004.gguf", "UD-IQ1_S"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("model.f16.gguf", "F16"),
        ("bge-large-zh-v1.5.gguf", ""),
    ],
)
def test_the_quantization_is_in_the_name(path: str, said: str) -> None:
    assert quantization(path) == said
