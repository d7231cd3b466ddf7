"""A full or read-only disk under the configuration: nothing is half applied, and it recovers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit import disk
from tests.kit.api import Api
from tests.kit.command import ended
from tests.kit.disk import fill
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.supervisor.kit import until

V3 = "deepseek-v3"
FULL = "the database cannot be written: database or disk is full"


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[Server]:
    """Its disk is soon full; what it is configured by stands elsewhere, and can be edited."""
    with disk.small_disk(tmp_path / "disk", 24) as folder:
        models = tmp_path / "models.toml"
        models.write_text(models_toml(upstream.url, free_port(), ALL_SCRIPTED), "utf-8")
        made = Server(folder / "data", settings=QUICK)
        (made.data / "models.toml").symlink_to(models)
        made.log = tmp_path / "test.log"
        with made:
            yield made


@contextmanager
def full(server: Server) -> Iterator[None]:
    filler = server.data.parent / "filler"
    fill(filler)
    try:
        yield
    finally:
        filler.unlink()


def with_rpm(server: Server, rpm: int, name: str = "models.toml") -> Path:
    """The server's file with one more field, under a name of its own or in its place."""
    here = (server.data / "models.toml").resolve()
    file = here.with_name(name)
    text = here.read_text("utf-8").partition("[models.deepseek-v3]")[0]
    file.write_text(f"{text}[models.{V3}]\nrpm = {rpm}\n", "utf-8")
    return file


def fails(server: Server, *arguments: str) -> str:
    """What a command says that must not succeed."""
    code, out, errors = ended(*arguments, data=server.data, settings=QUICK)
    assert code == 1, out + errors
    assert "Traceback" not in errors
    return errors


def applied(server: Server) -> tuple[int, int]:
    """Which version is applied, and which is served by."""
    status = json.loads(server.run("config", "status", "--json"))
    (service,) = status["gateways"]
    return status["version"], service["version"]


def test_nothing_is_applied_on_a_full_disk_and_the_edit_comes_in_later(
    server: Server, upstream: Upstream
) -> None:
    api = Api(server.url, server.token())
    operator = api.bearing(server.token("--scope", "admin")).at("/admin/v1")
    script = Script(pieces=["字"] * 60, rate=20)
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        stream.take(next(live))
        with full(server):
            assert FULL in fails(server, "config", "apply", str(with_rpm(server, 7, "other.toml")))
            body = json.dumps({"patch": {"models": {V3: {"rpm": 8}}}}).encode()
            refused(
                operator.send("PATCH", "/config", body), 500, "Internal_error", "internal_error"
            )
            with_rpm(server, 9)
            assert applied(server) == (1, 1)
        until("the edit is served by", lambda: applied(server) == (2, 2))
        for event in live:
            stream.take(event)
    assert stream.done
    assert operator.get("/config").json["tree"]["models"][V3] == {"rpm": 9}
    answered(api.chat(model=CHAT))


@pytest.mark.slow
def test_every_change_and_a_start_say_why_they_fail(server: Server, upstream: Upstream) -> None:
    server.run("config", "apply", str(with_rpm(server, 7, "other.toml")))
    changes: list[tuple[str, ...]] = [
        ("models", "set", V3, "rpm=8"),
        ("models", "use", V3, f"{upstream.url}#scripted"),
        ("models", "reset", V3),
        ("config", "revert", "2"),
    ]
    with full(server):
        for each in changes:
            assert FULL in fails(server, *each)
        assert applied(server) == (2, 2)
    assert applied(server) == (2, 2)
    for number, each in enumerate(changes, 3):
        server.run(*each)
        assert applied(server) == (number, number)
    server.stop()
    with full(server):
        assert "xinghe.db: the disk is full" in fails(server, "serve", "--port", "0")
    server.start()
    assert applied(server) == (6, 6)


@pytest.mark.slow
def test_a_read_only_directory_is_named(server: Server, tmp_path: Path) -> None:
    server.run("config", "apply", str(with_rpm(server, 7, "other.toml")))
    server.stop()
    with_rpm(server, 9)
    with read_only(server.data, tmp_path / "locked") as folder:

        def here(*asked: str) -> tuple[int, str, str]:
            return ended(*asked, data=folder)

        for each in (("config", "revert", "1"), ("models", "set", V3, "rpm=8"), ("serve",)):
            code, _, errors = here(*each)
            assert code == 1
            assert "Read-only file system" in errors
            assert str(folder) in errors
        assert json.loads(here("config", "show", "--json")[1])["tree"]["models"][V3] == {"rpm": 7}
        assert here("models", "list")[0] == 0
    server.start()
    shown = json.loads(server.run("config", "show", "--json"))
    assert shown["tree"]["models"][V3] == {"rpm": 7}  # both have changed the field


@contextmanager
def read_only(folder: Path, at: Path) -> Iterator[Path]:
    """The same folder at another place, where nothing can be written."""
    at.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(at)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(at)], check=True)
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)
