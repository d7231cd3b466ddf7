"""What `/metrics` tells of the parts of the service is how they are."""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

MakeServer = Callable[..., Server]


def told(server: Server, name: str, **labels: str) -> float | None:
    """A value of `/metrics`; None where it stands not there."""
    with urllib.request.urlopen(server.metrics_url, timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    wanted = f"xinghe_{name}", labels
    return next((each.value for each in samples if (each.name, each.labels) == wanted), None)


def until(server: Server, value: float, name: str, **labels: str) -> None:
    end = time.monotonic() + 30
    while (found := told(server, name, **labels)) != value:
        assert time.monotonic() < end, f"{name} is {found}, not {value}"
        time.sleep(0.05)


def test_what_is_at_work_and_what_it_cost(
    make_server: MakeServer, upstream: Upstream, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    server = make_server(settings={"XINGHE_BACKUPS__FOLDER": str(folder)})
    api = Api(server.url, server.token())
    places = told(server, "deployment_places", deployment="scripted")
    assert places is not None
    assert places >= 1
    until(server, 1, "deployment_ready", deployment="scripted")
    until(server, 0, "deployment_ready", deployment="down")
    assert told(server, "database_up") == 1
    assert told(server, "backup_timestamp_seconds") == 0

    script = Script(pieces=["字"] * 20, pauses_at=5)
    with api.streaming(model=CHAT, messages=script.messages) as (_, events):
        next(events)
        until(server, 1, "deployment_at_work", deployment="scripted")
        until(server, 1, "journal_places_used")
        until(server, 1, "holds_open")
        age = told(server, "oldest_hold_seconds")
        assert age is not None
        assert 0 <= age < 60
        upstream.resume(script)
        for _ in events:
            pass
    for name in ("journal_places_used", "holds_open", "oldest_hold_seconds"):
        until(server, 0, name)
    until(server, 0, "deployment_at_work", deployment="scripted")
    # As the scripted upstream counts: 10 tokens at ratio 1, 20 at ratio 2.
    assert told(server, "charged_tokens_total", model=CHAT) == pytest.approx(10 + 2 * 20)
    commits = told(server, "database_commit_seconds_count")
    assert commits is not None
    assert commits > 2

    began = time.time()
    server.run("backup", str(folder / "one.backup"))
    made = told(server, "backup_timestamp_seconds")
    assert made is not None
    assert began - 1 <= made <= time.time()
    (folder / "zzz.backup").write_text("not one", "utf-8")
    assert told(server, "backup_timestamp_seconds") == made
    for place, path in {"data": server.data, "backups": folder}.items():
        assert told(server, "disk_size_bytes", place=place) == shutil.disk_usage(path).total
        free = told(server, "disk_free_bytes", place=place)
        assert free is not None
        assert 0 < free < shutil.disk_usage(path).total


def test_without_a_folder_nothing_is_told_of_backups(server: Server) -> None:
    assert told(server, "backup_timestamp_seconds") is None
    assert told(server, "disk_free_bytes", place="data") is not None
