"""`xinghe config`: shown, applied, compared and applied again, whether the service runs or not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.accounts.commands import Commands

BIG = (
    '[deployments.big]\nengine = "upstream"\nurl = "http://h/v1"\nmodel = "m"\nkey = "sk-1"\n'
    '[models.deepseek-v3]\ndeployment = "big"\nrpm = 5\n'
)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    (tmp_path / "data").mkdir()
    return Commands(tmp_path / "data")


def test_a_file_is_applied_and_shown(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text(BIG, "utf-8")
    told = commands.done("config", "apply", str(file), "--note", "a beginning")
    assert "models.deepseek-v3: nothing -> " in told
    assert "version 1 is applied" in told
    assert "sk-1" not in told
    shown = commands.done("config", "show")
    assert "sk-1" not in shown
    tree = tomllib.loads(shown)
    assert tree["models"] == {"deepseek-v3": {"deployment": "big", "rpm": 5}}
    # What was shown is applied without a change.
    file.write_text(shown, "utf-8")
    assert "nothing changed" in commands.done("config", "apply", str(file))
    whole = commands.json("config", "show")
    assert (whole["version"], whole["note"], whole["tree"]) == (1, "a beginning", tree)
    file.with_suffix(".json").write_text(json.dumps(whole["tree"]), "utf-8")
    again = commands.json("config", "apply", str(file.with_suffix(".json")), "--dry-run")
    assert (again["changed"], again["dry_run"]) == (0, True)


def test_versions_are_listed_compared_and_applied_again(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    for rpm in (5, 6):
        file.write_text(BIG.replace("rpm = 5", f"rpm = {rpm}"), "utf-8")
        commands.done("config", "apply", str(file))
    assert commands.done("config", "diff") == "models.deepseek-v3.rpm: 5 -> 6"
    assert commands.json("config", "diff", "2", "1") == [
        {"field": "models.deepseek-v3.rpm", "before": 6, "after": 5}
    ]
    assert "version 3 is applied" in commands.done("config", "revert", "1")
    rows = commands.json("config", "versions")
    assert [row["version"] for row in rows] == [3, 2, 1]
    assert rows[0]["author"].startswith("cli")
    assert "version 1 again" in commands.done("config", "versions")
    old = commands.done("config", "show", "--version", "2")
    assert tomllib.loads(old)["models"]["deepseek-v3"]["rpm"] == 6
    assert "no version 7, allowed: 1 to 3" in commands.refused("config", "revert", "7", code=1)
    late = commands.refused("config", "apply", str(file), "--expect", "2", code=1)
    assert "version 3 is applied" in late
    actions = {row["action"] for row in commands.json("audit", "--subject", "config")}
    assert actions == {"config.apply"}


def test_an_edited_file_comes_in_first(commands: Commands) -> None:
    models = commands.data / "models.toml"
    models.write_text(BIG, "utf-8")
    commands.done("config", "apply", str(models))
    models.write_text(BIG + "tpm = 7\n", "utf-8")
    assert "was edited" in commands.done("config", "status")
    assert "version 3 is applied" in commands.done("config", "revert", "1")
    assert commands.json("config", "status")["waiting"] is False


def test_a_conflict_is_told_and_ended(commands: Commands, tmp_path: Path) -> None:
    models, other = commands.data / "models.toml", tmp_path / "other.toml"
    models.write_text(BIG, "utf-8")
    commands.done("config", "apply", str(models))
    other.write_text(BIG.replace("rpm = 5", "rpm = 6"), "utf-8")
    commands.done("config", "apply", str(other))
    models.write_text(BIG.replace("rpm = 5", "rpm = 7"), "utf-8")
    status = commands.run("config", "status")
    assert status.exit_code == 1
    assert "models.deepseek-v3.rpm: the file says 7, version 2 by cli" in status.stdout
    assert json.loads(commands.run("config", "status", "--json").stdout)["files"].keys() == {
        "models.toml"
    }
    result = commands.run("config", "apply", str(models))
    assert "models.toml was not imported" in result.stderr
    assert "version 3 is applied" in result.stdout
    assert commands.json("config", "status")["files"] == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[models", "end of document"),
        ("[models.deepseek-v3]\nrpn = 5\n", "`rpn` is unknown"),
        ("[model]\n", "did you mean `models`"),
        ("# much\n" * 700_000, "more than 4194304 characters, allowed: 0 to 4194304"),
    ],
)
def test_a_file_that_cannot_be_applied(
    commands: Commands, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "new.toml"
    file.write_text(text, "utf-8")
    assert told in commands.refused("config", "apply", str(file), code=1)
    assert "No such file" in commands.refused("config", "apply", str(tmp_path / "none"), code=1)
