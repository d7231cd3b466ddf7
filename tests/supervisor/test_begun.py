"""A service starts by what it can serve, and says what the applied version lacks."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

from tests.conftest import MakeServer
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.command import XINGHE, environment
from tests.kit.expect import answered, away
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.tiny import write_tiny
from tests.supervisor.kit import ready, until

V3 = "deepseek-v3"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def edited(server: Server, body: bytes) -> None:
    """Somebody changes the applied version by hand."""
    with sqlite3.connect(server.data / "xinghe.db") as database:
        database.execute(
            "UPDATE configuration_contents SET body = ? WHERE digest = "
            "(SELECT content FROM configurations ORDER BY id DESC LIMIT 1)",
            (body,),
        )


def applied(server: Server, text: str) -> None:
    file = server.data / "more.toml"
    file.write_text((server.data / "models.toml").read_text("utf-8") + text, "utf-8")
    server.run("config", "apply", str(file))


def listed(data: Path) -> tuple[str, str]:
    """What `models list` says on standard output, and on standard error."""
    command = [*XINGHE, "models", "list", "--json", "--data", str(data)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


def test_a_version_that_makes_no_catalog(make_server: MakeServer) -> None:
    server = make_server()
    api_token = server.token()
    applied(server, f"[models.{V3}]\nrpm = 77\n")
    server.stop()
    edited(server, b'{"models": {"deepseek-v3": {"rpn": 1}}}')
    out, errors = listed(server.data)
    assert "version 2 of the configuration cannot be served by" in errors
    assert "listed is version 1" in errors
    assert {row["model"] for row in json.loads(out)} >= {CHAT, V3}
    server.start()
    said = server.log.read_text("utf-8")
    assert "Warning: version 2 of the configuration cannot be served by" in said
    assert "Warning: version 1 serves instead" in said
    api = Api(server.url, api_token)
    answered(api.chat(model=CHAT))
    operator = api.bearing(server.token("--scope", "admin")).at("/admin/v1")
    (gateway,) = operator.get("/config").json["gateways"]
    assert gateway["version"] == 1
    assert "version 2 of the configuration cannot be served by" in gateway["trouble"][0]
    # What is applied again is served by at once.
    assert "serves by it now" in server.run("config", "revert", "1")


def test_a_model_file_that_has_gone_and_comes_back(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    file = tmp_path / "own.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    table = (
        f'[deployments.own]\nengine = "llamacpp"\nweights = "{file}"\ncontext = 512\nslots = 1\n'
    )
    applied(server, table + f'[models.{V3}]\ndeployment = "own"\n')
    # One that is broken is as good as none.
    until("it is known", lambda: "engine_ended" in server.log.read_text("utf-8"))
    nobody(api)
    server.stop()
    file.unlink()
    missing = f"deployments.own: `weights`: there is no file {file}"
    assert missing in listed(server.data)[1]
    server.start()
    api = Api(server.url, api.token)
    assert f"Warning: {missing}" in server.log.read_text("utf-8")
    answered(api.chat(model=CHAT))
    assert ready(server, "deployment scripted")
    assert not ready(server, "deployment own")
    nobody(api)
    write_tiny(tmp_path / "pulled", TEMPLATE).rename(file)
    until("it serves", lambda: ready(server, "deployment own"))
    answered(api.chat(model=V3, max_tokens=2))


def test_a_name_that_the_index_of_weights_has_no_more(make_server: MakeServer) -> None:
    server = make_server()
    token = server.token()
    tree = json.loads(server.run("config", "show", "--json"))["tree"]
    tree["deployments"]["own"] = {"engine": "llamacpp", "weights": "gone-model"}
    tree["models"][V3] = {"deployment": "own"}
    server.stop()
    edited(server, json.dumps(tree).encode())
    server.start()
    assert "no model file is called 'gone-model'" in server.log.read_text("utf-8")
    api = Api(server.url, token)
    answered(api.chat(model=CHAT))
    nobody(api)


def nobody(api: Api) -> None:
    """Nobody is behind the model: each mount says so in its own way."""
    for mount, status in ((DOCUMENTED, 500), (STRICT, 503)):
        reply = api.at(mount).chat(model=V3, max_tokens=2)
        assert reply.status == status
        away(reply)
