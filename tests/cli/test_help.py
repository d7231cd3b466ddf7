"""What the command line says of itself, and what it loads for that."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from xinghe.cli.main import COMMANDS, main

LOADED = "import sys\nfrom xinghe.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"


def loaded(*arguments: str) -> set[str]:
    """The modules of ours, and the packages of others, that a command has loaded at its end."""
    program = f"{LOADED}    print('\\x00', *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    return set(run.stdout.partition("\x00")[2].split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_what_needs_no_command_loads_none(arguments: list[str]) -> None:
    ours = {name for name in loaded(*arguments) if name.startswith("xinghe")}
    assert ours == {"xinghe", "xinghe.cli", "xinghe.cli.lazy", "xinghe.cli.main"}


def test_a_command_loads_no_other() -> None:
    found = loaded("token", "list", "--help")
    assert {name for name in found if name.startswith("xinghe.cli.")} == {
        f"xinghe.cli.{name}" for name in ("lazy", "main", "common", "tokens")
    }
    assert not {name for name in found if name.startswith(("xinghe.api", "xinghe.engines"))}


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, _, line in COMMANDS])
def test_a_command_is_told_of_in_its_own_words(name: str, line: str) -> None:
    """In the group's help, which does not load it."""
    told, command = main.commands[name], main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.name, command.hidden) == (name, False)
    for width in (40, 62, 80, 200):
        assert told.get_short_help_str(width) == command.get_short_help_str(width)
    assert line.endswith(".")


def test_help_lists_every_command_and_not_the_old_name() -> None:
    help_ = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert [row.split()[0] for row in help_.strip().splitlines()] == sorted(
        name for name, _, _ in COMMANDS
    )
    old = CliRunner().invoke(main, ["account", "--help"]).output
    assert old.replace("account", "member") == CliRunner().invoke(main, ["member", "--help"]).output


def test_a_mistyped_command_is_told_the_right_one() -> None:
    result = CliRunner().invoke(main, ["tokn"])
    assert result.exit_code == 2
    assert "token" in result.output
