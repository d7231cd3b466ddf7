"""`xinghe models use`, `set`, `reset`, `list` as commands: without a service, and beside one."""

from __future__ import annotations

import json
import os
import pty
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.command import XINGHE, environment
from tests.kit.server import free_port
from tests.sources.stand import KEY, OpenAI
from xinghe.cli.main import main
from xinghe.supervisor import whereabouts


@pytest.fixture
def server() -> Iterator[OpenAI]:
    with OpenAI({"id": "maker/large", "max_model_len": 65536}) as running:
        yield running


def ended(*arguments: str, data: Path) -> tuple[int, str, str]:
    """A command, run in this process."""
    result = CliRunner().invoke(main, [*arguments, "--data", str(data)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def done(*arguments: str, data: Path) -> str:
    code, out, errors = ended(*arguments, data=data)
    assert code == 0, errors
    return out


def listed(data: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(done("models", "list", "--json", data=data))
    return {row["model"]: row for row in rows}


def refused(*arguments: str, data: Path) -> str:
    code, out, errors = ended(*arguments, data=data)
    assert code in {1, 2}, out
    return errors


def test_without_a_service_the_next_start_has_it(tmp_path: Path, server: OpenAI) -> None:
    said = done("models", "use", "deepseek-v3", server.base, data=tmp_path)
    assert "deepseek-v3 is served by maker/large at" in said
    assert "no service runs on" in said
    row = listed(tmp_path)["deepseek-v3"]
    assert row["deployment"] == "deepseek-v3"
    assert (row["engine"], row["source"], row["serves"]) == ("upstream", server.url, "maker/large")
    assert (row["context"], row["answers"]) == (65536, None)
    shown = done("models", "list", data=tmp_path)
    assert server.url in shown
    assert "deepseek-r1" in shown
    assert "is served by deployment embedded again" in done(
        "models", "reset", "deepseek-v3", data=tmp_path
    )
    assert listed(tmp_path)["deepseek-v3"]["engine"] == "llamacpp"
    applied = json.loads(done("config", "show", "--json", data=tmp_path))
    assert applied["tree"].get("deployments", {}) == {}
    assert "nothing was set of deepseek-v3" in refused(
        "models", "reset", "deepseek-v3", data=tmp_path
    )


BY_HAND = """
[deployments.{name}]
engine = "upstream"
url = "http://127.0.0.1:9/v1"
model = "m"
key = "sk-by-hand"

[models.deepseek-v3]
deployment = "{name}"
rpm = 5
"""


@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-v3-2"])
def test_what_is_written_by_hand_stays(tmp_path: Path, server: OpenAI, name: str) -> None:
    (tmp_path / "models.toml").write_text(BY_HAND.format(name=name), "utf-8")
    done("models", "use", "deepseek-v3", server.base, data=tmp_path)
    assert listed(tmp_path)["deepseek-v3"]["serves"] == "maker/large"
    done("models", "set", "deepseek-v3", "rpm=7", data=tmp_path)
    said = done("models", "reset", "deepseek-v3", data=tmp_path)
    assert f"is served by deployment {name} again" in said
    assert "which no model has now, is taken out" in said
    tree = json.loads(done("config", "show", "--json", data=tmp_path))["tree"]
    assert tree["models"] == {"deepseek-v3": {"deployment": name, "rpm": 5}}
    assert list(tree["deployments"]) == [name]
    assert "it is as models.toml says" in refused("models", "reset", "deepseek-v3", data=tmp_path)


def test_what_fails_leaves_nothing(tmp_path: Path, server: OpenAI) -> None:
    away = f"http://127.0.0.1:{free_port()}/v1#a"
    assert "connection refused" in refused("models", "use", "deepseek-v3", away, data=tmp_path)
    assert "no model 'deepseek'" in refused("models", "use", "deepseek", server.base, data=tmp_path)
    for options, said in (
        (["--key-env", "sk-1234567890"], "the name of a variable"),
        (["--set", "key=sk-1234567890"], "--key-env NAME"),
        (["--set", "slot=8"], "did you mean `slots`"),
        (["--set", "slots=0"], "slots is 0"),
    ):
        errors = refused("models", "use", "deepseek-v3", server.base, *options, data=tmp_path)
        assert said in errors
        assert "sk-1234567890" not in errors
    assert json.loads(done("config", "show", "--json", data=tmp_path))["version"] == 0


def test_set_and_unset(tmp_path: Path) -> None:
    def models(*arguments: str) -> str:
        return done("models", "set", "deepseek-v3", *arguments, data=tmp_path)

    assert "deepseek-v3.rpm is 60" in models("input_ratio=2", "rpm=60", "capabilities=tools")
    assert listed(tmp_path)["deepseek-v3"]["input_ratio"] == 2
    assert "deepseek-v3.rpm is 300" in models("--unset", "rpm")
    for arguments, said in (
        (["rpm=-1"], "models.deepseek-v3: rpm is -1: Expected `int` >= 0"),
        (["deployment=vllm"], "`deployment` is 'vllm', allowed: "),
        (["deployment=vllm"], "`xinghe models use deepseek-v3 SOURCE` defines one"),
        (["rmp=1"], "did you mean `rpm`"),
        (["--unset", "tpm"], "`tpm` was not set"),
        ([], "nothing to set"),
    ):
        errors = refused("models", "set", "deepseek-v3", *arguments, data=tmp_path)
        assert said in errors
    assert "no model 'deepseek'" in refused("models", "set", "deepseek", "rpm=1", data=tmp_path)


@pytest.mark.slow
def test_a_key_is_asked_for_without_an_echo(tmp_path: Path) -> None:
    with OpenAI("large", key=KEY) as guarded:
        arguments = ["models", "use", "deepseek-v3", guarded.base, "--data", str(tmp_path)]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(sys.executable, [*XINGHE, *arguments], environment())
        told = b""
        end = time.monotonic() + 60
        while b"Key of" not in told and time.monotonic() < end:
            told += os.read(terminal, 4096)
        os.write(terminal, KEY.encode() + b"\n")
        try:
            while time.monotonic() < end and (more := os.read(terminal, 4096)):
                told += more
        except OSError:  # it has ended
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, told.decode()
    assert b"deepseek-v3 is served by large" in told
    assert KEY.encode() not in told
    for command in (["models", "list", "--json"], ["config", "show", "--json"], ["audit"]):
        assert KEY not in done(*command, data=tmp_path)


def test_a_running_service_takes_it_within_a_second(
    make_server: MakeServer, server: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_server()
    api = Api(service.url, service.token())
    before = listed(service.data)
    assert before["ernie-3.5-8k"]["answers"] is True
    assert before["ernie-3.5-8k"]["tokens_per_second"] is None
    said = done("models", "use", "deepseek-v3", server.base, data=service.data)
    assert f"the service at {service.url} serves by it now" in said
    answer = api.chat(model="deepseek-v3")
    assert answer.status == 200
    assert answer.headers["x-served-by"] == "deepseek-v3/maker/large"
    row = listed(service.data)["deepseek-v3"]
    assert (row["answers"], row["tokens_per_second"] > 0) == (True, True)
    assert (row["source"], row["serves"]) == (server.url, "maker/large")
    monkeypatch.setenv("STAND_KEY", KEY)
    keyed = ("models", "use", "deepseek-v3", server.base, "--key-env", "STAND_KEY")
    assert "has no variable STAND_KEY" in refused(*keyed, data=service.data)
    # What is set there is for no visitor of a port to learn.
    where = whereabouts.find(service.data)
    assert where is not None
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{where.metrics_url}/variables/PATH")
    assert "PATH" in (whereabouts.environment(service.data, where) or {})
    another = replace(where, pid=os.getpid())
    assert whereabouts.environment(service.data, another) is None
    server.key = KEY
    assert api.chat(model="deepseek-v3").status == 500
    row = listed(service.data)["deepseek-v3"]
    assert row["answers"] is False
    assert row["servers"] == [
        {"server": server.url, "state": "up", "keys": 1, "refused": [{"key": 1, "status": 401}]}
    ]
    shown = done("models", "list", data=service.data)
    assert "refused (401)" in shown
    assert f"deepseek-v3: {server.url} up, refuses the key (401)" in shown
    done("models", "reset", "deepseek-v3", data=service.data)
    assert api.chat(model="deepseek-v3").headers["x-served-by"] == "scripted/scripted"


def test_each_server_of_a_model_is_told_of(make_server: MakeServer, server: OpenAI) -> None:
    """One that refuses one of its keys takes nothing away from the others."""
    service = make_server()
    api = Api(service.url, service.token())
    with OpenAI("maker/large", key=KEY) as other:
        table = {
            "engine": "upstream",
            "urls": [server.base, other.base],
            "keys": [{"key": "sk-wrong"}, {"key": KEY}],
            "model": "maker/large",
        }
        patch = {"deployments": {"two": table}, "models": {"deepseek-v3": {"deployment": "two"}}}
        operator = Api(service.url, service.token("--scope", "admin")).at("/admin/v1")
        applied = operator.send("PATCH", "/config", json.dumps({"patch": patch}).encode())
        assert applied.status == 200, applied.body
        deadline = time.monotonic() + 60
        while not (row := listed(service.data)["deepseek-v3"])["servers"][1]["refused"]:
            assert time.monotonic() < deadline
            for _ in range(8):  # each conversation goes where it likes
                said = [{"role": "user", "content": secrets.token_hex(200)}]
                assert api.chat(model="deepseek-v3", messages=said).status == 200
    assert row["answers"] is True
    assert [each["refused"] for each in row["servers"]] == [[], [{"key": 1, "status": 401}]]
    shown = done("models", "list", data=service.data)
    assert f"two: {server.url} up; {other.url} up, refuses key 1 of 2 (401)" in shown
