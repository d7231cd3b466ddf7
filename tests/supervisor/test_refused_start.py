"""A service that cannot start says why in one message, with exit code 1, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.supervisor.kit import serve_fails, status


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose models need no embedded engine."""
    (tmp_path / "models.toml").write_text(
        models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED), "utf-8"
    )
    return tmp_path


def test_second_service_on_the_same_data(server: Server) -> None:
    said = serve_fails(server.data)
    assert str(server.data) in said
    assert "--data" in said
    assert status(server, "/healthz") == 200  # the first one does not mind


def test_port_in_use(server: Server, data: Path) -> None:
    port = server.url.rsplit(":", 1)[1]
    said = serve_fails(data, "--port", port)
    assert port in said
    assert "--port" in said


def test_address_of_another_machine(data: Path) -> None:
    assert "192.0.2.1" in serve_fails(data, "--host", "192.0.2.1")


def test_model_path_that_does_not_exist(tmp_path: Path) -> None:
    missing = tmp_path / "no-such.gguf"
    assert str(missing) in serve_fails(tmp_path / "data", "--model", str(missing))


def test_model_name_that_nobody_knows(tmp_path: Path) -> None:
    assert "ernie-9" in serve_fails(tmp_path / "data", "--model", "ernie-9")


@pytest.mark.embedded
def test_model_file_that_is_no_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    assert str(broken) in serve_fails(tmp_path / "data", "--model", str(broken))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server\n", ["xinghe.toml"]),
        ("[server]\ngrace = 'long'\n", ["xinghe.toml", "server.grace", "float"]),
        ("[embedded]\nslots = 70\n", ["xinghe.toml", "embedded.slots", "64"]),
        ("[server]\nprot = 80\n", ["xinghe.toml", "prot"]),
        ("[surver]\nport = 80\n", ["xinghe.toml", "surver"]),
    ],
)
def test_broken_settings_are_named(data: Path, text: str, says: list[str]) -> None:
    (data / "xinghe.toml").write_text(text, "utf-8")
    said = serve_fails(data)
    assert all(part in said for part in says), said


def test_broken_variable_is_named(data: Path) -> None:
    said = serve_fails(data, XINGHE_SERVER__GRACE="soon")
    assert "server.grace" in said


def test_broken_models_are_named(data: Path) -> None:
    (data / "models.toml").write_text('[models."ernie-3.5-8k"]\ncontext = "8k"\n', "utf-8")
    said = serve_fails(data)
    assert all(part in said for part in ("models.toml", "ernie-3.5-8k", "context")), said


def test_data_directory_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", "utf-8")
    assert str(file) in serve_fails(file)


def test_file_that_is_no_database(data: Path) -> None:
    (data / "xinghe.db").write_text("not a database, and long enough to be seen as none" * 99)
    assert "xinghe.db" in serve_fails(data)
