"""`/console/backups`: one is made, seen, checked; what fails is told, and how one is restored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

from xinghe.storage import verify_backup

PATH = "/console/backups"


@pytest.fixture
def folder(service: Server) -> Iterator[Path]:
    found = service.data / "backups"
    yield found
    found.mkdir(exist_ok=True)
    for each in found.iterdir():
        each.unlink()


def ended(operator: Visitor) -> Shown:
    """The page, once nothing is at work any more."""
    for _ in range(300):
        page = operator.get(PATH)
        if not page.all("[hx-get]"):
            return page
        time.sleep(0.2)
    raise AssertionError(page.text)


def test_it_is_operators_alone(member: Visitor) -> None:
    assert member.get(PATH).status == 403
    mark = member.get("/console/start").all("input[name=mark]")[0].get("value")
    ours = {"Origin": member.url, "Sec-Fetch-Site": "same-origin"}
    for path in PATH, f"{PATH}/check":
        assert member.post(path, {"mark": mark, "name": "x.backup"}, ours).status == 403


def test_one_is_made_and_checked(operator: Visitor, folder: Path, service: Server) -> None:
    empty = operator.get(PATH)
    assert "还没有备份" in empty.text
    assert operator.submit(empty, PATH).status == 200
    made = ended(operator)
    [file] = folder.iterdir()
    assert verify_backup(file).rows["members"] >= 1
    assert made.texts("tbody th") == [file.name]
    assert "已备份并读回核对" in made.texts(".notice")[0]
    command = f"xinghe restore {file} --replace --data {service.data}"
    assert made.texts("#restore") == [command]
    operator.submit(made, f"{PATH}/check")
    checked = ended(operator)
    assert "检查过，是完整的" in checked.texts(".notice")[0]
    file.write_bytes(file.read_bytes()[:-9])
    operator.submit(checked, f"{PATH}/check")
    spoiled = ended(operator)
    assert "文件残缺" in spoiled.texts(".notice")[0]
    assert "没有核对" in spoiled.texts("td")[3]


def test_what_is_no_backup_is_shown_as_none(operator: Visitor, folder: Path) -> None:
    (folder / "x.backup").write_text("no")
    shown = operator.get(PATH)
    assert "不是备份，或已损坏" in shown.texts("td")[3]
    assert "FILE" in shown.texts("#restore")[0]


def test_a_folder_that_is_gone_is_told(operator: Visitor, folder: Path) -> None:
    page = operator.get(PATH)
    folder.rmdir()
    refused = operator.submit(page, PATH)
    assert refused.status == 400
    assert "文件夹不在" in refused.texts(".notice")[0]
    assert "读不了" in refused.texts(".notice")[-1]
