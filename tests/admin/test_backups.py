"""`/admin/v1/backups`: in the operator's folder alone, one at a time, told in the audit log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import pytest

from tests.admin.desk import Desk, Person, audited
from xinghe.upkeep.command import Ended

NAME = re.compile(r"xinghe-\d{8}T\d{6}Z\.backup")


def listed(desk: Desk, operator: Person) -> dict[str, object]:
    reply = desk.send("GET", "/backups", operator.token)
    assert reply.status == 200
    found: dict[str, object] = reply.json
    return found


def test_one_is_made_and_the_audit_log_says_by_whom(desk: Desk, operator: Person) -> None:
    made = desk.send("POST", "/backups", operator.token).json
    assert NAME.fullmatch(made["name"])
    assert (made["state"], made["actor"]) == ("done", operator.id)
    arguments = ("backup", str(desk.backups / made["name"]), "--data", str(desk.folder))
    assert desk.commands[-1] == arguments
    action, before, after = audited(desk, operator, "backups")[0]
    assert (action, before, after) == ("backup.make", None, {"file": made["name"], "size": 0})
    assert listed(desk, operator)["task"] == made


def test_what_is_no_backup_is_said_to_be_none(desk: Desk, operator: Person) -> None:
    (desk.backups / "readme.txt").touch()
    (desk.backups / "link.backup").symlink_to("/etc/passwd")
    (desk.backups / "folder.backup").mkdir()
    found = listed(desk, operator)
    assert found["folder"] == str(desk.backups)
    assert found["restore"] == f"xinghe restore FILE --replace --data {desk.folder}"
    assert isinstance(found["data"], list)
    by_name = {each["name"]: each for each in found["data"]}
    assert by_name.keys() == {"old.backup"}
    assert by_name["old.backup"]["at"] is None
    assert "no backup of Xinghe" in by_name["old.backup"]["trouble"]
    for name in (
        "link.backup",
        "folder.backup",
        "none.backup",
        "..%2F..%2Fetc%2Fpasswd",
        ".backup",
    ):
        assert desk.send("POST", f"/backups/{name}/check", operator.token).status == 404, name


def test_one_that_is_read_to_its_end_is_told_to_be_whole(desk: Desk, operator: Person) -> None:
    checked = desk.send("POST", "/backups/old.backup/check", operator.token).json
    assert (checked["kind"], checked["state"]) == ("check", "done")
    assert desk.commands[-1][-1] == "--check"
    found = listed(desk, operator)
    assert isinstance(found["data"], list)
    assert found["data"][0]["checked_at"] is not None


def test_what_goes_wrong_is_told_and_not_in_the_audit_log(
    desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*arguments: str, within: float, environment: Mapping[str, str]) -> Ended:
        return Ended(1, "", "hm\nError: x.backup cannot be written: No space left on device\n")

    rows = len(audited(desk, operator, "backups"))
    monkeypatch.setattr(desk, "_answer", full)
    refused = desk.send("POST", "/backups", operator.token)
    assert (refused.status, refused.code) == (400, "conflict")
    assert "No space left on device" in refused.json["error"]["message"]
    task = listed(desk, operator)["task"]
    assert isinstance(task, dict)
    assert task["state"] == "failed"
    assert "No space left" in task["trouble"]
    assert len(audited(desk, operator, "backups")) == rows


def test_a_second_one_is_refused_while_the_first_is_made(
    desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()

    async def slow(*arguments: str, within: float, environment: Mapping[str, str]) -> Ended:
        await go.wait()
        return Ended(0, "", "")

    async def both() -> tuple[int, int, str]:
        monkeypatch.setattr(desk, "_answer", slow)
        monkeypatch.setattr("xinghe.admin.backups.SOON", 0.01)
        first = await desk.sending("POST", "/backups", operator.token)
        second = await desk.sending("POST", "/backups/old.backup/check", operator.token)
        go.set()
        for _ in range(500):
            task = (await desk.sending("GET", "/backups", operator.token)).json["task"]
            if task["state"] == "done":
                break
            await asyncio.sleep(0.01)
        return first.status, second.status, first.json["state"]

    assert desk.run(both()) == (200, 400, "running")


@pytest.mark.parametrize("how", ["missing", "a file", "unset"])
def test_a_folder_that_is_none_is_told(
    desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    folder = desk.folder / "elsewhere"
    if how == "a file":
        folder.touch()
    monkeypatch.setattr("xinghe.upkeep.backups.Backups.folder", None if how == "unset" else folder)
    before = len(desk.commands)
    refused = desk.send("POST", "/backups", operator.token)
    assert (refused.status, refused.code) == (400, "conflict")
    assert "backups.folder" in refused.json["error"]["message"]
    assert len(desk.commands) == before
    found = listed(desk, operator)
    assert found["data"] == []
    assert (found["folder"] is None) is (how == "unset")
    assert (found["trouble"] is None) is (how == "unset")
    folder.unlink(missing_ok=True)


@pytest.mark.parametrize("body", [b'{"folder": "/tmp"}', b'{"file": "/tmp/x"}'])
def test_nobody_says_where(desk: Desk, operator: Person, body: bytes) -> None:
    before = len(desk.commands)
    assert desk.send("POST", "/backups", operator.token, body).status == 400
    assert desk.send("POST", "/backups?folder=/tmp", operator.token).status == 400
    assert len(desk.commands) == before
