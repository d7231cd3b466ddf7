"""An Ollama that runs here: its models by name, what they can do, and how long a text they take.

A stand-in speaks its endpoints: `/api/show`, `/api/tags`, `/api/ps`, and OpenAI's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.server import free_port
from tests.sources.desk import Operator
from tests.sources.stand import Ollama
from xinghe.sources import SourceError
from xinghe.sources.ollama import address

QWEN: dict[str, Any] = {
    "capabilities": ["completion", "tools", "thinking"],
    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
    "parameters": "temperature 0.7\ntop_k 20",
}
VECTORS: dict[str, Any] = {"capabilities": ["embedding"], "model_info": {}}


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    with Ollama({"qwen3": QWEN, "bge-m3": VECTORS}) as running:
        monkeypatch.setenv("OLLAMA_HOST", running.url.removeprefix("http://"))
        yield running


async def test_a_model_with_its_context_and_abilities(tmp_path: Path, ollama: Ollama) -> None:
    operator = Operator(tmp_path)
    found = await operator.use("deepseek-v3", "ollama:qwen3")
    assert operator.deployment("deepseek-v3") == {
        "engine": "upstream",
        "url": ollama.base,
        "model": "qwen3",
        "context": 40960,
        "tools": True,
        "thinks": True,
        "vision": False,
    }
    assert found.trial is not None
    assert found.trial.tokens == 4


async def test_the_context_is_that_which_it_is_set_to_or_loaded_with(
    tmp_path: Path, ollama: Ollama
) -> None:
    operator = Operator(tmp_path)
    ollama.shown["qwen3"] = {**QWEN, "parameters": 'stop "x"\nnum_ctx                    8192\n'}
    await operator.use("deepseek-v3", "ollama:qwen3")
    assert operator.deployment("deepseek-v3")["context"] == 8192
    ollama.loaded["qwen3:latest"] = 4096
    await operator.use("deepseek-v3", "ollama:qwen3")
    assert operator.deployment("deepseek-v3")["context"] == 4096
    await operator.use("deepseek-v3", "ollama:qwen3", fields={"context": 2048})
    assert operator.deployment("deepseek-v3")["context"] == 2048


async def test_kinds(tmp_path: Path, ollama: Ollama) -> None:
    operator = Operator(tmp_path)
    with pytest.raises(SourceError, match="bge-m3 of Ollama is no chat model: it can embedding"):
        await operator.use("deepseek-v3", "ollama:bge-m3")
    with pytest.raises(SourceError, match="Ollama makes no images, allowed"):
        await operator.use("Stable-Diffusion-XL", "ollama:qwen3")
    ollama.not_chat = {"bge-m3"}
    await operator.use("bge-large-zh", "ollama:bge-m3")
    assert operator.deployment("bge-large-zh")["engine"] == "upstream-embedding"


async def test_a_model_that_it_lacks(tmp_path: Path, ollama: Ollama) -> None:
    with pytest.raises(SourceError) as refused:
        await Operator(tmp_path).use("deepseek-v3", "ollama:qwen33")
    said = str(refused.value)
    assert all(
        each in said for each in (ollama.url, "qwen33", "qwen3:latest", "ollama pull qwen33")
    )


async def test_an_ollama_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    with pytest.raises(SourceError, match=f"{port} cannot be reached: connection.*OLLAMA_HOST"):
        await Operator(tmp_path).use("deepseek-v3", "ollama:qwen3")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:5", "http://127.0.0.1:5"),
        ("[::1]:5", "http://[::1]:5"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
    ],
)
def test_ollama_host(value: str, url: str) -> None:
    assert address({"OLLAMA_HOST": value}) == url


@pytest.mark.parametrize("value", ["ftp://box", "box:port", "me:secret@box"])
def test_an_ollama_host_that_is_none(value: str) -> None:
    with pytest.raises(SourceError, match="OLLAMA_HOST is") as refused:
        address({"OLLAMA_HOST": value})
    assert "secret" not in str(refused.value)
