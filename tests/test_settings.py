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


def test_a_file_that_cannot_be_looked_for_is_named(tmp_path: Path) -> None:
    """So it is with another user's folder; a name this long fails for everybody alike."""
    with pytest.raises(SettingsError, match=r"xinghe\.toml: .*File name too long"):
        load(str(tmp_path / ("x" * 300)), environ={})
    with pytest.raises(SettingsError, match=r"XINGHE_CONFIG names .*, which does not exist"):
        load(str(tmp_path), environ={"XINGHE_CONFIG": str(tmp_path / "none.toml")})


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


def test_of_a_long_value_the_beginning_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"server\.port is '9{59}…: ") as refused:
        load(str(tmp_path), environ={"XINGHE_SERVER__PORT": "9" * 4000})
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("issuer", "a" * 201, "at most 200 characters"),
        ("issuer", "one\ntwo", "a printable line"),
        ("issuer", "\x1b[31m", "a printable line"),
        ("note", "a" * 2001, "2000 characters"),
        ("note", "\n" * 31, "at most 30 printable lines"),
        ("note", "\x1b[31m", "at most 30 printable lines"),
    ],
)
def test_what_stands_on_a_bill_can_be_printed(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    good = {"XINGHE_BILL__ISSUER": "星河大学\u3000网络中心", "XINGHE_BILL__NOTE": "税\n\tVAT 6 %"}
    assert load(str(tmp_path), environ=good).bill.note == "税\n\tVAT 6 %"
    with pytest.raises(SettingsError, match=rf"`{name}` is .*allowed: .*{allowed}.*bill"):
        load(str(tmp_path), environ={f"XINGHE_BILL__{name.upper()}": value})


def test_a_folder_of_backups_is_named_by_its_whole_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`folder` is 'backups', allowed: a whole path"):
        load(str(tmp_path), environ={"XINGHE_BACKUPS__FOLDER": "backups"})


def test_a_key_of_many_parts_is_told_by_its_line(tmp_path: Path) -> None:
    for text in ("server" + ".x" * 100_000, '"server"' + " . 'x'" * 100_000, "x={y" + ".x" * 99):
        (tmp_path / "xinghe.toml").write_text(f"# ours\n{text} = 1\n")
        with pytest.raises(SettingsError, match=r"line 2 .* allowed: 1 to 16"):
            load(str(tmp_path), environ={})


def test_dots_in_a_text_are_no_parts_of_a_key(tmp_path: Path) -> None:
    dots = "a" + ".a" * 40
    text = f"# {dots}\ndata = \"{dots}\" # {dots}\n[log]\nlevel = 'info'\n"
    (tmp_path / "xinghe.toml").write_text(text.replace("data =", "server.host ="))
    assert load(str(tmp_path), environ={}).server.host == dots
    (tmp_path / "xinghe.toml").write_text(f'server.host = """{dots}\n{dots}"""\n')
    assert load(str(tmp_path), environ={}).server.host == f"{dots}\n{dots}"


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="prot"):
        load(str(tmp_path), environ={"XINGHE_SERVER__PROT": "1"})
    (tmp_path / "xinghe.toml").write_text("[server\n")
    with pytest.raises(SettingsError, match=r"xinghe\.toml"):
        load(str(tmp_path), environ={})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nport = 'x'\n", "server.port is 'x'"),
        ("[server]\nport = 70000\n", "server.port is 70000"),
        ("[server]\nprot = 1\n", "`server.prot` is unknown, did you mean `port`?"),
        ("[sever]\nport = 1\n", "`sever` is unknown, did you mean `server`?"),
        ("server = 1\n", "server is 1"),
        ("[log]\nqqq = 1\n", "`log.qqq` is unknown, allowed: level, format"),
        ("[safety.upstream]\nurl = 5\n", "safety.upstream.url is 5"),
    ],
)
def test_a_file_is_checked_whole_whatever_replaces_its_values(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "xinghe.toml").write_text(text)
    environ = {"XINGHE_SERVER__PORT": "1", "XINGHE_SAFETY__UPSTREAM__URL": "http://x"}
    for given in ({}, environ):
        with pytest.raises(SettingsError) as refused:
            load(str(tmp_path), {"server.port": 2, "embedded.model": "small"}, given)
        assert says in str(refused.value)
        assert str(tmp_path / "xinghe.toml") in str(refused.value)


def test_a_variable_is_checked_whatever_option_replaces_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"server\.port is 'x'.*variables"):
        load(str(tmp_path), {"server.port": 2}, {"XINGHE_SERVER__PORT": "x"})


def test_what_only_holds_together_may_come_from_two_sources(tmp_path: Path) -> None:
    (tmp_path / "xinghe.toml").write_text("[search]\nprovider = 'searxng'\n")
    environ = {"XINGHE_SEARCH__URL": "http://searx"}
    assert load(str(tmp_path), environ=environ).search.url == "http://searx"
    with pytest.raises(SettingsError, match="needs the `url`"):
        load(str(tmp_path), environ={})


@pytest.mark.parametrize("url", ["llm.example.edu", "http://a'b/", "https://a.edu/$(id)"])
def test_what_cannot_be_pasted_is_no_public_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="an address such as https"):
        load(str(tmp_path), environ={"XINGHE_SERVER__PUBLIC_URL": url})


def test_of_a_wrong_table_no_value_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "xinghe.toml").write_text("[search.key]\nsecret = 'sk-planted'\n")
    with pytest.raises(SettingsError, match=r"search\.key is wrong") as refused:
        load(str(tmp_path), environ={})
    assert "sk-planted" not in str(refused.value)
