"""Every command of the documentation that names a server of the reader's, on stand-ins."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import MakeServer
from tests.docs.desk import PRINTED_URL, prints
from tests.docs.pages import page
from tests.docs.test_blocks import ELSEWHERE, STAND_INS
from tests.kit.tiny import write_tiny
from tests.sources.desk import TEMPLATE
from tests.sources.stand import KEY, Hub, Ollama, OpenAI
from xinghe.cli.main import main

SOURCES = sorted(text for text, why in ELSEWHERE.items() if why == STAND_INS)


def test_they_stand_in_the_documentation() -> None:
    blocks = {block.text for name in ("README.md", "docs/models.md") for block in page(name).blocks}
    assert len(SOURCES) >= 7
    assert blocks.issuperset(SOURCES)


@pytest.mark.parametrize("text", SOURCES)
def test_a_source_of_the_reader_s(text: str, tmp_path: Path) -> None:
    tiny = write_tiny(tmp_path / "tiny.gguf", TEMPLATE).read_bytes()
    names = ("qwen3-8b-Q4_K_M.gguf", "qwen3-8b-Q8_0.gguf")
    with (
        OpenAI("deepseek-chat", key=KEY) as guarded,
        OpenAI("deepseek-ai/DeepSeek-V3") as vllm,
        OpenAI("bge-large-zh-v1.5") as vectors,
        Ollama({"qwen3": {"capabilities": ["completion"]}}) as ollama,
        Hub(dict.fromkeys(names, tiny)) as hub,
    ):
        vectors.not_chat = {"bge-large-zh-v1.5"}
        here = {
            "http://127.0.0.1:9000/v1": vllm.base,
            "http://127.0.0.1:9001/v1": vectors.base,
            "https://api.deepseek.com/v1": guarded.base,
            "sk-...": KEY,
            "Qwen/Qwen3-8B-GGUF": "maker/tiny",
            "/srv/models/qwen3-8b-q4_k_m.gguf": str(tmp_path / "tiny.gguf"),
        }
        for shown, real in here.items():
            text = text.replace(shown, real)
        variables = {
            "XINGHE_DATA": str(tmp_path / "data"),
            "XINGHE_WEIGHTS__CACHE": str(tmp_path / "cache"),
            "XINGHE_WEIGHTS__MODELSCOPE": hub.url,
            "XINGHE_WEIGHTS__HUGGINGFACE": hub.url,
            "XINGHE_EMBEDDED__CONTEXT": "1024",
            "XINGHE_EMBEDDED__SLOTS": "1",
            "XINGHE_EMBEDDED__THREADS": "1",
            "OLLAMA_HOST": ollama.url,
        }
        for line in map(shlex.split, text.splitlines()):
            if line[0] == "export":
                name, _, value = line[1].partition("=")
                variables[name] = value
                continue
            assert line[0] == "xinghe"
            result = CliRunner().invoke(main, line[1:], env=variables)
            assert result.exit_code == 0, result.output
    assert " is served by " in result.stdout
    assert KEY not in result.output


@pytest.mark.slow
@pytest.mark.embedded
def test_the_small_weights(make_server: MakeServer, small_weights: str) -> None:
    (block,) = [each for each in page("docs/models.md").blocks if each.text.endswith(" small")]
    service = make_server(small_weights, settings={"XINGHE_EMBEDDED__MODEL": small_weights})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINGHE_EMBEDDED__MODEL", small_weights)
        arguments = [*shlex.split(block.text)[1:], "--data", str(service.data)]
        result = CliRunner().invoke(main, arguments)
    assert block.output is not None
    prints(result.output, block.output.replace(PRINTED_URL, service.url))
    # What the service has loaded already is not loaded again.
    assert "deployment embedded, which others have too" in result.stdout
