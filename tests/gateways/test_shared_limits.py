"""Two gateways on one Valkey server keep one limit; without it, each has its half of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.postgres import Cluster
from tests.kit.raw import Connection
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.kit.valkey import ValkeyServer
from tests.supervisor.kit import until

RPM = 8


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    (tmp_path / "valkey").mkdir()
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def both(
    postgres: Cluster, upstream: Upstream, valkey: ValkeyServer, tmp_path: Path
) -> Iterator[list[Server]]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models = models.replace("rpm = 0", f"rpm = {RPM}", 1)
    (tmp_path / "images").mkdir()
    settings = {
        **QUICK,
        "XINGHE_DATABASE__URL": postgres.database(),
        "XINGHE_IMAGES__FOLDER": str(tmp_path / "images"),
        "XINGHE_VALKEY__URL": valkey.url,
    }
    servers = [
        Server(tmp_path / name, models=models, settings=settings) for name in ("first", "second")
    ]
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as pool:
            for server in pool.map(lambda each: each.__enter__(), servers):
                stack.push(server.__exit__)
        yield servers


def told(server: Server) -> Any:
    with Connection(server.url) as connection:
        connection.request("GET", "/readyz")
        reply = connection.reply()
        assert reply.status == 200, "it stays ready"
        return json.loads(reply.body)["limits"]


@pytest.mark.slow
def test_one_limit_and_the_halves_of_it(both: list[Server], valkey: ValkeyServer) -> None:
    for server in both:
        until("both are known", lambda server=server: told(server)["gateways"] == 2, 20)  # type: ignore[misc]
        assert told(server) == {"shared": True, "gateways": 2}
    token = both[0].token()
    apis = [Api(server.url, token) for server in both]
    replies = [api.get("/models") for _ in range(RPM) for api in apis]
    good = [reply for reply in replies if reply.status == 200]
    assert RPM <= len(good) <= RPM + 1
    assert good[1].headers["x-ratelimit-remaining-requests"] == str(RPM - 2)
    assert {reply.status for reply in replies} == {200, 429}
    assert replies[-1].json["error"]["code"] == "rpm_rate_limit_exceeded"

    valkey.stop()
    for api in apis:
        statuses = [api.get("/models").status for _ in range(RPM)]
        assert RPM // 2 <= statuses.count(200) <= RPM // 2 + 1
    assert told(both[0]) == {"shared": False, "gateways": 2, "share": "1/2"}
    valkey.start()
    for server in both:
        until("it returns", lambda server=server: told(server)["shared"], 8)  # type: ignore[misc]
