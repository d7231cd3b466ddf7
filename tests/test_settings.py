"""Settings: where they come from, and how a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinghe.settings import SettingsError, load


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "xinghe.toml").write_text("[server]\nport = 1\nhost = '::1'\n")
    settings = load(str(tmp_path), environ={"XINGHE_SERVER__PORT": "2"})
    assert (settings.server.port, settings.server.host) == (2, "::1")
    assert load(str(tmp_path), {"server.port": 3}, environ={}).server.port == 3


def test_what_an_orchestrator_puts_there_is_none_of_ours(tmp_path: Path) -> None:
    """Kubernetes announces a service called xinghe by such variables."""
    environ = {"XINGHE_PORT": "tcp://10.0.0.1:80", "XINGHE_SERVICE_HOST": "10.0.0.1"}
    assert load(str(tmp_path), environ=environ).server.port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [("GRACE", "nan"), ("GRACE", "inf"), ("GRACE", "0"), ("PORT", "x"), ("PORT", "70000")],
)
def test_a_wrong_value_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"server\.{name.lower()} is '{value}'"):
        load(str(tmp_path), environ={f"XINGHE_SERVER__{name}": value})


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="prot"):
        load(str(tmp_path), environ={"XINGHE_SERVER__PROT": "1"})
    (tmp_path / "xinghe.toml").write_text("[server\n")
    with pytest.raises(SettingsError, match=r"xinghe\.toml"):
        load(str(tmp_path), environ={})
