"""A log that cannot be written: on a full disk, or into a pipe that nobody reads."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.kit.api import Api
from tests.kit.command import XINGHE, environment, xinghe
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.server import free_port
from tests.kit.upstream import Upstream


@pytest.mark.parametrize("log", ["full", "gone"])
def test_it_stops_no_request_and_no_charge(upstream: Upstream, tmp_path: Path, log: str) -> None:
    (tmp_path / "models.toml").write_text(
        models_toml(upstream.url, free_port(), ALL_SCRIPTED), "utf-8"
    )
    if log == "full":
        error = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, error = os.pipe()
        os.close(reader)
    port = free_port()
    service = subprocess.Popen(
        [*XINGHE, "serve", "--port", str(port), "--data", str(tmp_path)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=error,
    )
    os.close(error)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, service)
        api = Api(url, xinghe("token", "create", data=tmp_path).strip())
        page = Api(url, None).at("").send("GET", "/", headers={"Accept": "text/html"})
        assert page.status == 200
        for _ in range(5):
            assert api.chat(model=CHAT).status == 200
            assert api.chat(model="none").status == 404
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
    xinghe("ledger", "check", data=tmp_path)


def _await(url: str, service: subprocess.Popen[bytes]) -> None:
    while True:
        assert service.poll() is None
        try:
            if Api(url, None).at("").get("/readyz").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
