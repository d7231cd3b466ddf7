"""What a start prints in Chinese, and which address its examples name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server
from xinghe.cli import ready
from xinghe.doctor.processor import Capacity
from xinghe.supervisor.messages import EngineThreads

PUBLIC = "https://llm.example.edu"
OURS = re.compile(
    r"https?://\S+|xh-\S+|SearXNG|xinghe\.toml|\[search\]|provider|xinghe [a-z ]+|OpenAI|Anthropic"
    r"|Claude Code|Open WebUI|Codex|embedded(\.threads)?|token|CPU"
)
"""Names, which are the same in every language."""


def test_all_of_a_start_is_chinese_where_the_terminal_is(tmp_path: Path) -> None:
    models = models_toml("http://127.0.0.1:9", 9, ALL_SCRIPTED)
    settings = {**QUICK, "LC_ALL": "zh_CN.UTF-8", "XINGHE_SERVER__PUBLIC_URL": PUBLIC}
    with Server(tmp_path, "--quickstart", models=models, settings=settings) as server:
        told = (tmp_path / "test.stdout").read_text("utf-8")
        assert f"已就绪：{server.url}" in told
    # Whoever pastes the examples may sit elsewhere.
    assert f"curl {PUBLIC}/llm/lmapi/v3/chat/completions" in told
    assert f'base_url="{PUBLIC}/llm/lmapi/v3"' in told
    examples = told.index("curl "), told.index("print(")
    told = told[: examples[0]] + told[examples[1] :].partition("\n")[2]
    assert re.findall("[A-Za-z]+", OURS.sub("", told)) == []


@pytest.mark.parametrize(
    "why",
    [
        *(str(Capacity(cores, 8, quota)) for cores in (1, 4, 8) for quota in (None, 1.5)),
        str(Capacity(1, 1, None)),
        "others use the processor; 2 cores", "the processor is free again; 2 cores",
        "set by embedded.threads", "not running",
    ],
)  # fmt: skip
def test_why_an_engine_has_its_threads_is_told_in_chinese(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = EngineThreads(
        "llamacpp", "embedded", threads=2, why=why, reads=50.0, writes=10.0, measured=1
    )
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    said = ready.engine(state)
    assert "用 1 个线程时每秒读 50.0 个、写 10.0 个 token（1,000 个 token 的提示要 20 秒）" in said
    assert re.findall("[A-Za-z]+", OURS.sub("", said)) == []
    monkeypatch.setenv("LC_ALL", "C")
    assert ready.engine(state).startswith(f"engine embedded: 2 threads ({why}); with 1 thread it")
