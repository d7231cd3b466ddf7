"""What SOURCE may be, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinghe.sources import SourceError, parse
from xinghe.sources.source import Endpoint, File, Known, Ollama, Repository


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("small", Known("qwen2.5-coder-0.5b-instruct-q4_k_m")),
        ("modelscope:Qwen/Qwen3-8B-GGUF", Repository("modelscope", "Qwen/Qwen3-8B-GGUF")),
        ("huggingface:a/b/c.gguf", Repository("huggingface", "a/b", "c.gguf")),
        ("huggingface:a/b/Q4/c.gguf", Repository("huggingface", "a/b", "Q4/c.gguf")),
        ("huggingface:a/b:q8_0", Repository("huggingface", "a/b", "q8_0")),
        ("hf:a/b", Repository("huggingface", "a/b")),
        ("hf.co/a/b:Q8_0", Repository("huggingface", "a/b", "Q8_0")),
        ("modelscope://a/b", Repository("modelscope", "a/b")),
        ("ollama:qwen3", Ollama("qwen3")),
        ("ollama:library/qwen3:8b", Ollama("library/qwen3:8b")),
        ("http://127.0.0.1:9000/v1", Endpoint("http://127.0.0.1:9000/v1")),
        ("HTTPS://h.example/v1/#a/b", Endpoint("https://h.example/v1", "a/b")),
        ("http://h.example/v1#a%20b", Endpoint("http://h.example/v1", "a b")),
        ("http://h.example/v1/chat/completions", Endpoint("http://h.example/v1")),
        ("http://h.example/v1?api-version=1", Endpoint("http://h.example/v1?api-version=1")),
        ("http://[::1]:8000/v1", Endpoint("http://[::1]:8000/v1")),
    ],
)
def test_every_kind_of_source(text: str, source: object) -> None:
    assert parse(text) == source


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch()
    assert parse("here") == File(tmp_path / "here")
    assert parse("gone.gguf") == File(tmp_path / "gone.gguf")
    assert parse("./a/b.gguf") == File(tmp_path / "a/b.gguf")
    assert parse(f"file://{tmp_path}/a.gguf") == File(tmp_path / "a.gguf")
    assert parse("~/a.gguf") == File(Path.home() / "a.gguf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["empty", "ollama:name"]),
        ("  ", ["empty"]),
        ("smal", ["smal", "did you mean `small`", "modelscope:owner/repo"]),
        ("Qwen/Qwen3-8B-GGUF", ["modelscope:Qwen/Qwen3-8B-GGUF"]),
        ("olama:qwen3", ["olama", "did you mean `ollama`"]),
        ("s3://bucket/key", ["s3", "http(s)://host/v1[#model]"]),
        ("modelscope:", ["modelscope:owner/repo"]),
        ("modelscope:onlyowner", ["modelscope:owner/repo"]),
        ("huggingface:a/../b", ["huggingface:owner/repo"]),
        ("huggingface:a/b/c.gguf:Q4", ["huggingface:owner/repo"]),
        ("ollama:", ["ollama:name"]),
        ("ollama:a b", ["ollama:name"]),
        ("http://", ["no host"]),
        ("http://:80/v1", ["no host"]),
        ("http://h:99999/v1", ["URL"]),
        ("http://h ost/v1", ["no host"]),
        ("https://me:sk-123456789@h.example/v1", ["h.example", "--key-env"]),
        ("https://h.example/v1?api_key=sk-123456789", ["api_key", "--key-env"]),
        ("https://huggingface.co/Qwen/Qwen3-8B-GGUF", ["huggingface:Qwen/Qwen3-8B-GGUF"]),
        ("https://modelscope.cn/models/Qwen/Q", ["modelscope:Qwen/Q"]),
        ("https://h.example/files/a.gguf", ["file", "download"]),
    ],
)
def test_what_is_none_is_named_with_what_is_allowed(text: str, said: list[str]) -> None:
    with pytest.raises(SourceError) as refused:
        parse(text)
    assert all(each in str(refused.value) for each in said), str(refused.value)
    assert "sk-123456789" not in str(refused.value)
