"""Two gateways behind nginx are restarted one after the other, and nobody notices."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.postgres import cluster
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.supervisor.kit import status

PAGE = Path(__file__).parents[2] / "docs" / "several-gateways.en.md"
REQUESTS, CLIENTS, DELAY = 10_000, 12, 3.0


@contextmanager
def nginx(folder: Path, ports: list[int]) -> Iterator[str]:
    """With the configuration of the documentation, before two ports; its URL."""
    (written,) = re.findall("```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    port = free_port()
    for place, own in (
        ("10.0.0.1:8000", f"127.0.0.1:{ports[0]}"),
        ("10.0.0.2:8000", f"127.0.0.1:{ports[1]}"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ):
        assert written.count(place) == 1
        written = written.replace(place, own)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\n"
        f"http {{\naccess_log off;\n{temporary}{written}}}\n",
        "utf-8",
    )
    with subprocess.Popen(["nginx", "-c", str(file), "-e", f"{folder}/error.log"]) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Clients:
    """Ask until so many requests were answered; each request at most once."""

    def __init__(self, url: str, token: str) -> None:
        self.api = Api(url, token)
        self.faults = Counter[str]()
        self.left = REQUESTS
        self._lock = threading.Lock()

    def run(self) -> None:
        while True:
            with self._lock:
                number, self.left = self.left, self.left - 1
            if number <= 0:
                return
            try:
                fault = self._ask(stream=number % 4 == 0)
            except (OSError, EOFError, AssertionError) as error:
                fault = repr(error)
            if fault:
                self.faults[fault] += 1

    def _ask(self, *, stream: bool) -> str:
        script = Script(rate=20) if stream else Script()
        if stream:
            got = self.api.stream(model=CHAT, messages=script.messages)
            return "" if got.done and got.content == script.text else f"{got.errors}"
        reply = self.api.chat(model=CHAT, messages=script.messages)
        return "" if reply.status == 200 else f"{reply.status} {reply.body.decode()}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nobody_notices(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with cluster(tmp_path / "postgres") as running:
        url = running.database()
        ports = [free_port(), free_port()]
        models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
        settings = {
            **QUICK,
            "XINGHE_DATABASE__URL": url,
            "XINGHE_IMAGES__FOLDER": str(tmp_path / "images"),
            "XINGHE_SERVER__SHUTDOWN_DELAY": str(DELAY),
        }
        servers = [
            Server(tmp_path / str(port), "--port", str(port), models=models, settings=settings)
            for port in ports
        ]
        with servers[0], servers[1], nginx(tmp_path, ports) as before:
            token = servers[0].token()
            clients = Clients(before, token)
            with ThreadPoolExecutor(CLIENTS + 1) as pool:
                asking = [pool.submit(clients.run) for _ in range(CLIENTS)]
                for server in servers:
                    time.sleep(2)
                    restart(server, token, pool)
                for each in asking:
                    each.result()
            assert not clients.faults
            Books(servers[0]).settled()
    assert clients.left <= -CLIENTS


def restart(server: Server, token: str, pool: ThreadPoolExecutor) -> None:
    """Stop one and start it again; while it stops it says so, serves, and ends its streams."""
    long = Script(pieces=["字"] * 100, rate=10)
    api = Api(server.url, token)
    streaming = pool.submit(api.stream, model=CHAT, messages=long.messages)
    time.sleep(1)
    with ThreadPoolExecutor(1) as beside:
        stopping = beside.submit(server.stop)
        end = time.monotonic() + DELAY
        while status(server, "/readyz") != 503:
            assert time.monotonic() < end, "/readyz did not go down first"
            time.sleep(0.02)
        reply = api.chat(model=CHAT, messages=Script().messages)
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert stopping.result() == 0
    assert streaming.result().content == long.text
    server.start()
    assert status(server, "/readyz") == 200
