"""Prometheus itself loads the files, sets the alerts off, and answers what the dashboard asks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.docs.pages import ROOT
from tests.kit.api import Api
from tests.kit.server import Server, free_port
from tests.watching.test_names import RULES, panels

PANELS = [each for each in panels() if "label_values" not in each[1]]
FOLDER = ROOT / "deploy/prometheus"

pytestmark = pytest.mark.slow


def test_the_configuration_is_valid(prometheus: Path) -> None:
    command: list[str | Path] = [
        prometheus / "promtool",
        "check",
        "config",
        FOLDER / "prometheus.yml",
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(RULES)} rules found" in checked.stdout


def test_every_alert_fires_and_is_quiet(prometheus: Path) -> None:
    tests = FOLDER / "alerts.test.yml"
    for rule in RULES:
        for which in ("fires", "is quiet"):
            assert f"name: {rule['alert']} {which}\n" in tests.read_text("utf-8")
    command: list[str | Path] = [prometheus / "promtool", "test", "rules", tests]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_prometheus_answers_what_the_dashboard_asks(
    prometheus: Path, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    target = urlsplit(server.metrics_url).netloc
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    assert "127.0.0.1:8001" in text
    text = text.replace("127.0.0.1:8001", target).replace(
        "scrape_interval: 15s", "scrape_interval: 1s"
    )
    (tmp_path / "prometheus.yml").write_text(text, "utf-8")
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    port = free_port()
    command: list[str | Path] = [
        prometheus / "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as running:
        try:
            end = time.monotonic() + 60
            while not _value(port, "count(rate(xinghe_requests_total[5m])) > 0"):
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                assert api.chat(model="scripted-chat").status == 200
                api.chat(model="scripted-down")
                time.sleep(0.5)
            answered = 0
            for _, expression, _ in PANELS:
                said = _value(port, re.sub(r"\$(instance|model)\b", ".*", expression))
                answered += bool(said)
            assert answered > len(PANELS) / 2
            assert _value(port, 'xinghe_deployment_ready{deployment="scripted"}') == ["1"]
        finally:
            running.terminate()


def _value(port: int, expression: str) -> list[str]:
    """What an expression says now; raises where Prometheus refuses it."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={quote(expression)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            said = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{expression}: {error.read().decode()}") from error
    except OSError:
        return []  # it has not started yet
    return [each["value"][1] for each in said["data"]["result"]]
