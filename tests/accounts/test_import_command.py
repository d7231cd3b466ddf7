"""`xinghe member import`."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from tests.accounts.commands import Commands


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    made = Commands(tmp_path / "data", database_url)
    made.done("group", "create", "class")
    return made


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    file = tmp_path / "class.csv"
    file.write_bytes("学号,每月预算\r\n张三,\r\n李四,0.5\r\n".encode("gbk"))
    return file


def test_a_class_and_its_tokens(commands: Commands, roster: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"
    arguments = ["member", "import", str(roster), "--group", "class", "--budget", "2"]
    dry = commands.json(*arguments, "--dry-run", "--output", str(output))
    assert not output.exists()
    assert commands.json("member", "list") == []
    made = commands.json(*arguments, "--output", str(output), "--expires", "90d", "--model", "m")
    assert dry == made
    assert made == [
        {"line": 2, "name": "张三", "group": "class", "role": "member", "tokens": 0, "budget": 2},
        {"line": 3, "name": "李四", "group": "class", "role": "member", "tokens": 0, "budget": 0.5},
    ]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    head, *rows = csv.reader(output.read_text("utf-8-sig").splitlines())
    assert head == ["name", "token"]
    assert [name for name, _ in rows] == ["张三", "李四"]
    listed = commands.json("token", "list")
    assert [each["public_id"] for each in listed] == [token.split("-")[1] for _, token in rows]
    assert {each["name"] for each in listed} == {"import"}
    assert {tuple(each["models"]) for each in listed} == {("m",)}
    # To do it again changes nothing, and does not touch the file.
    before = output.read_bytes()
    again = commands.refused(*arguments, "--output", str(output), code=1)
    assert "line 2: name: there is a member '张三' already" in again
    roster.write_text("name\nnew")
    again = commands.refused(*arguments, "--output", str(output), code=1)
    assert "File exists: nobody was imported" in again
    assert output.read_bytes() == before
    assert len(commands.json("member", "list")) == 2


def test_what_was_read_is_said(commands: Commands, roster: Path) -> None:
    told = commands.run("member", "import", str(roster), "--dry-run")
    assert told.stderr.strip() == "read as gb18030; 2 members would be made"
    assert [line.split()[1] for line in told.stdout.splitlines()] == ["name", "张三", "李四"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\n=cmd()\na\na\n", "line 2: name: '=cmd()' begins as a formula does"),
        ("name\n=cmd()\na\na\n", "line 4: name: 'a' is in line 3 already"),
        ("nom\na\n", "there is no column 'nom', allowed: name, 姓名"),
        ("name\n" + "a\n" * 100_000, "divide the file"),
        ("name\n" + "x" * 1_000_000, "over 500000 bytes"),
        ("", "no row below"),
    ],
)
def test_a_file_that_is_refused(
    commands: Commands, tmp_path: Path, text: str, message: str
) -> None:
    file, output = tmp_path / "class.csv", tmp_path / "tokens.csv"
    file.write_text(text)
    asked = ["member", "import", str(file), "--group", "class", "--output", str(output)]
    assert message in commands.refused(*asked, code=1)
    assert not output.exists()
    assert commands.json("member", "list") == []


def test_a_wrong_command_line(commands: Commands, roster: Path, tmp_path: Path) -> None:
    asked = ["member", "import", str(roster)]
    assert "--output says where" in commands.refused(*asked, code=2)
    zone = commands.refused(*asked, "--dry-run", "--zone", "Mars", code=2)
    assert "a time zone such as Asia/Shanghai" in zone
    gone = commands.refused(*asked, "--dry-run", "--group", "other", code=1)
    assert "there is no group 'other'" in gone
    nowhere = str(tmp_path / "nowhere" / "tokens.csv")
    assert "nobody was imported" in commands.refused(*asked, "--output", nowhere, code=1)
    assert commands.json("member", "list") == []
