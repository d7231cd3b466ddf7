"""`xinghe connect`: which address, token and model it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.connect.forms import values
from tests.kit.api import Api
from tests.kit.server import Server
from xinghe.cli.main import main
from xinghe.clients import CLIENTS, Filled

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `xinghe connect` on a data directory of the test's own."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def connect(*arguments: str, given: str | None = None) -> Result:
        command = ["connect", *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(main, command, input=given)

    return connect


def read(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_without_a_name_all_are_listed_with_what_was_tried(run: Run) -> None:
    lines = run().stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [each.id for each in CLIENTS]
    assert [line.endswith("not tried") for line in lines] == [not each.tried for each in CLIENTS]
    assert "未试" in run("--language", "zh").stdout
    assert run("--new-token").exit_code == 2


@pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.id)
def test_what_is_printed_is_what_a_program_is_given(run: Run, client: Any) -> None:
    told = read(run(client.id, "--json"))
    printed = run(client.id).stdout
    assert f"# {client.name} {client.least} or newer" in printed
    for part in told["parts"]:
        if part["form"] == "fields":
            assert all(f"{label} " in printed for label in part["fields"])
        else:
            assert part["text"] in printed
            assert values(Filled(part["form"], "", part["text"]))
    assert "xh-…" in printed
    assert told["base_url"] == "http://127.0.0.1:8000" + client.mount


def test_a_token_that_is_made_stands_in_the_settings_and_is_told_to_be_kept(run: Run) -> None:
    made = run("codex", "--new-token")
    token = made.stdout.partition("AI_STUDIO_API_KEY=xh")[2].split()[0]
    assert len(token) == len("-0123456789-") + 43
    assert "not shown again" in made.stderr
    assert token not in run("codex").stdout
    assert "connect codex --new-token` makes one" in run("codex").stderr
    assert "connect codex --new-token` 生成一个" in run("codex", "--language", "zh").stderr
    assert "不会再显示" in run("codex", "--language", "zh", "--new-token").stderr
    assert "it needs --new-token" in run("codex", "--member", "default").stderr


def test_a_token_that_is_given_is_read_from_where_nobody_sees_it(run: Run) -> None:
    token = "xh-0123456789-" + "A" * 43
    for result in (run("aider", "--token", token), run("aider", "--token", "-", given=token)):
        assert f"OPENAI_API_KEY={token}\n" in result.stdout
        assert result.stderr == ""
    wrong = run("aider", "--token", "sk-of-somebody-else")
    assert (wrong.exit_code, "sk-of" in wrong.output) == (2, False)
    assert run("aider", "--token", token, "--new-token").exit_code == 2


@pytest.mark.parametrize(
    "url", ["https://a.edu", "https://a.edu/", "https://a.edu/v1", "https://a.edu/llm/lmapi/v3/"]
)
def test_an_address_is_taken_with_its_mount_or_without(run: Run, url: str) -> None:
    assert "OPENAI_API_BASE=https://a.edu/v1\n" in run("aider", "--url", url).stdout


@pytest.mark.parametrize(
    "url",
    [
        "a.edu",
        "ftp://a.edu",
        "https://a.edu/v1?x=1",
        "https://",
        "http://a'b/",
        "http://a/$(id)",
        "http://a`b`/",
    ],
)
def test_a_wrong_address_is_refused(run: Run, url: str) -> None:
    assert run("aider", "--url", url).exit_code == 2


def test_the_language_is_that_of_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "模型名称" not in run("dify").stdout
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "模型名称" in run("dify").stdout
    assert "模型名称" not in run("dify", "--language", "en").stdout


def test_what_is_not_known_is_told(run: Run) -> None:
    assert "known: open-webui, dify" in run("nobody").stderr
    near = run("aider", "--model", "deepsek-v3").stderr
    assert "did you mean 'deepseek-v3'?" in near
    assert "xinghe models use deepsek-v3" in near
    assert "embedding-v1 answers no questions" in run("aider", "--model", "embedding-v1").stderr


def test_the_running_service_is_what_is_connected(server: Server) -> None:
    told = json.loads(server.run("connect", "open-webui", "--new-token", "--json"))
    assert told["base_url"] == f"{server.url}/v1"
    words = values(Filled("bash", "", told["parts"][0]["text"]))
    (token,) = {each for each in words if each.startswith("xh-")}
    listed = Api(server.url, token).at("/v1").get("/models").json["data"]
    assert told["model"] in [each["id"] for each in listed]


def test_the_start_says_for_whom_each_address_is(server: Server) -> None:
    told = (server.data / "test.stdout").read_text("utf-8")
    for address, who in (
        ("/llm/lmapi/v3", "Xinghe's documentation"),
        ("/v1", "OpenAI"),
        ("", "Anthropic"),
    ):
        (line,) = [each for each in told.splitlines() if f"{server.url}{address} " in each]
        assert who in line
    assert "xinghe connect" in told
    assert f"console at {server.url}/" in told
