"""`xinghe serve --postgres`: the server comes, stays and goes with the service."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import QUICK
from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.supervisor.kit import serve_fails, until


@pytest.fixture
def server(upstream: Upstream, tmp_path: Path) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path / "data", "--postgres", models=models, settings=QUICK) as running:
        yield running


def postmaster(server: Server) -> psutil.Process:
    pid = (server.data / "postgresql" / "postmaster.pid").read_text().split()[0]
    return psutil.Process(int(pid))


def test_the_server_comes_and_goes_with_the_service(server: Server) -> None:
    secret = server.token()

    def asked() -> Api:
        return Api(server.url, secret)

    answered(asked().chat(model=CHAT))
    Books(server).settled()
    # There is no place for this character in any text of PostgreSQL's.
    for more in ({}, {"Idempotency-Key": "key"}):
        headers = {**asked().headers, **more}
        reply = asked().at(STRICT).send("POST", "/responses/resp_%00/cancel", b"{}", headers)
        assert (reply.status, reply.json["error"]["code"]) == (404, "no_such_object")
    assert not (server.data / "xinghe.db").exists()
    assert (server.data / "postgresql").stat().st_mode & 0o777 == 0o700

    # Killed, it is started again, and requests are served again.
    running = postmaster(server)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    until("answered again", lambda: asked().chat(model=CHAT).status == 200, 30)
    assert "database_ended" in server.log.read_text()

    # With the service killed it ends by itself; a command starts it for as long as it takes.
    running = postmaster(server)
    server.kill()
    running.wait(60)
    before = server.run("ledger", "entries", "--json")
    assert not (server.data / "postgresql" / "postmaster.pid").exists()
    server.start()
    assert server.run("ledger", "entries", "--json") == before
    answered(asked().chat(model=CHAT))
    Books(server).settled()
    running = postmaster(server)
    assert server.stop() == 0
    assert not running.is_running()


def test_a_server_of_its_own_or_another(tmp_path: Path) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/db"
    said = serve_fails(tmp_path, "--postgres", XINGHE_DATABASE__URL=url)
    assert "--postgres" in said
    assert "database.url" in said
    assert "hidden" not in said
