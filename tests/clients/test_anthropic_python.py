"""The newest anthropic-python at `/v1`: its own accumulator, tools, forms, counts and errors."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clients.conftest import ROOT
from tests.kit.command import environment
from tests.kit.models import ABLE, DOWN
from tests.kit.script import Call, Script
from tests.kit.server import Server

TEXT = Script(pieces=[f"{number}、" for number in range(12)], thoughts=["先", "想"])
CALL = Call("weather", ['{"city": ', '"北京"}'])
SCRIPTS = {
    "text": TEXT,
    "call": Script(["我查。"], thoughts=["要查"], calls=[CALL]),
    "json": Script(['{"age"', ": 4}"]),
    "broken": Script(fault="reset", after=2),
}


@pytest.fixture(scope="module")
def report(server: Server, token: str) -> Any:
    python = ROOT / ".venv-clients/anthropic/bin/python"
    assert python.exists(), f"{python} is missing: `make clients` installs it"
    task = {
        "base_url": server.url, "key": token, "model": ABLE, "down": DOWN,
        "scripts": {name: script.prompt for name, script in SCRIPTS.items()},
    }  # fmt: skip
    result = subprocess.run(
        [str(python), "-m", "tests.clients.programs.anthropic_python"],
        input=json.dumps(task),
        capture_output=True, text=True, cwd=ROOT, env=environment({}), timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


def test_what_it_puts_together_is_the_whole_answer(report: Any) -> None:
    whole, streamed = report["whole"], report["streamed"]
    assert report["request_id"].replace("as-", "msg_") == whole["id"]
    assert "".join(report["pieces"]) == TEXT.text
    assert {**streamed, "id": ""} == {**whole, "id": ""}
    assert (kinds(whole), whole["stop_reason"]) == (["thinking", "text"], "end_turn")


def test_tools_round_trip(report: Any) -> None:
    called = report["called"]
    assert (kinds(called), called["stop_reason"]) == (["thinking", "text", "tool_use"], "tool_use")
    assert called["content"][2]["input"] == {"city": "北京"}
    assert report["goes_on"]["content"][-1]["text"] == TEXT.text


def test_structured_output(report: Any) -> None:
    assert report["structured"] == {"age": 4}


def test_count(report: Any) -> None:
    assert report["counted"] > 10


def test_errors_are_the_clients_own(report: Any) -> None:
    refusals = report["refusals"]
    told = {name: (each["exception"], each["status"]) for name, each in refusals.items()}
    assert told == {
        "model": ("NotFoundError", 404),
        "key": ("AuthenticationError", 401),
        "range": ("BadRequestError", 400),
        "away": ("OverloadedError", 529),
        "stream": ("APIStatusError", 200),
    }
    assert "max_tokens is 0, allowed: an integer in [1, 2048]" in refusals["range"]["text"]
