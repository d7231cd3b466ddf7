"""What is examined is what the service would use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from tests.doctor.kit import options
from tests.kit.catalogs import catalog_of
from xinghe.catalog import LlamaCppDeployment
from xinghe.doctor.options import OptionError, parse
from xinghe.settings import load

TOML = """
[server]
host = "0.0.0.0"
port = 9000
[database]
url = "postgresql://db/one"
[weights]
cache = "/srv/weights"
[embedded]
model = "small"
threads = 2
"""


@pytest.mark.parametrize("toml", ["", TOML])
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {
            "XINGHE_SERVER__PORT": "81",
            "XINGHE_EMBEDDED__MODEL": "x.gguf",
            "XINGHE_EMBEDDED__THREADS": "3",
            "XINGHE_DATABASE__URL": "postgresql://db/other",
        },
    ],
)
def test_the_settings_and_the_doctor_agree(
    tmp_path: Path, toml: str, environ: dict[str, str]
) -> None:
    if toml:
        (tmp_path / "xinghe.toml").write_text(toml)
    environ = {**environ, "XINGHE_DATA": str(tmp_path)}
    ours, theirs = parse([], environ), load(environ=environ)
    assert (ours.host, ours.port) == (theirs.server.host, theirs.server.port)
    assert (ours.model, ours.threads) == (theirs.embedded.model, theirs.embedded.threads)
    assert ours.data == str(theirs.data_dir)
    assert ours.database == theirs.database.url
    assert ours.cache == str(theirs.weights_dir)


def test_the_default_folders_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XINGHE_DATA", "XINGHE_WEIGHTS__CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    ours, theirs = parse([], {}), load(environ={})
    assert (ours.data, ours.cache) == (str(theirs.data_dir), str(theirs.weights_dir))


def test_the_command_line_wins_and_a_preflight_overlooks_the_rest() -> None:
    asked = options(
        "--preflight", "--workers", "3", "--port", "8080", "--data", "/d", XINGHE_SERVER__PORT="1"
    )
    assert (asked.port, asked.data) == (8080, "/d")
    with pytest.raises(SystemExit):
        options("--workers", "3")


FAR = """
[deployments.far]
engine = "upstream"
url = "http://127.0.0.1:1/v1"
model = "far"
[defaults]
deployment = "far"
"""
OWN = """
[deployments.embedded]
weights = "own.gguf"
"""


@pytest.mark.parametrize("models", ["", FAR, OWN])
def test_the_catalog_and_the_doctor_agree(tmp_path: Path, models: str) -> None:
    (tmp_path / "models.toml").write_text(models)
    asked = options("--data", str(tmp_path))
    used = catalog_of(load(str(tmp_path), environ={})).in_use().values()
    embedded = [each.weights for each in used if isinstance(each, LlamaCppDeployment)]
    assert asked.embedded == bool(embedded)
    if embedded:
        assert asked.model == embedded[0]


def test_what_is_applied_counts_and_not_the_file(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    (tmp_path / "models.toml").write_text(FAR)
    commands.done("config", "apply", str(tmp_path / "models.toml"))
    assert not options("--data", str(tmp_path)).embedded
    own = tmp_path / "own.toml"
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    own.write_text(f'[deployments.embedded]\nweights = "{tmp_path}/own.gguf"\n')
    commands.done("config", "apply", str(own))
    asked = options("--data", str(tmp_path))
    assert (asked.embedded, asked.model) == (True, f"{tmp_path}/own.gguf")
    # What was edited comes in with the next start, but not what is none.
    (tmp_path / "models.toml").write_text("[deployments")
    assert options("--data", str(tmp_path)).model == f"{tmp_path}/own.gguf"


@pytest.mark.parametrize(
    ("models", "field"),
    [
        ('defaults = "x"', "defaults"),
        ("deployments = [1]", "deployments"),
        ("[deployments]\nembedded = 3", "embedded"),
        ("[deployments", "end of document"),
    ],
)
def test_a_catalog_of_the_wrong_shape_is_named(tmp_path: Path, models: str, field: str) -> None:
    (tmp_path / "models.toml").write_text(models)
    with pytest.raises(OptionError, match=rf"models\.toml: .*{field}"):
        options("--data", str(tmp_path))


def test_threads_that_are_no_number_are_named() -> None:
    with pytest.raises(OptionError, match=r"embedded\.threads is 'all', and must be"):
        options(XINGHE_EMBEDDED__THREADS="all")


@pytest.mark.parametrize("port", ["abc", "-1", "65536"])
def test_a_port_out_of_range(port: str) -> None:
    with pytest.raises(OptionError, match=f"'{port}', and must be a whole number from 0 to 65535"):
        options(XINGHE_SERVER__PORT=port)


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "xinghe.toml").write_text("port =")
    with pytest.raises(OptionError, match=r"xinghe\.toml"):
        options("--data", str(tmp_path))
