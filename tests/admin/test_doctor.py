"""`/admin/v1/doctor`: what the machine and the running service say, asked once for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.desk import Desk, Person
from xinghe.settings import Settings
from xinghe.upkeep import Examination
from xinghe.upkeep.command import Ended

FOUND = '{"ok": false, "checks": [{"name": "disk", "status": "fail", "text": "x", "mend": "y"}]}'


def checks(desk: Desk, operator: Person) -> dict[str, Any]:
    reply = desk.send("GET", "/doctor", operator.token)
    assert reply.status == 200
    return {each["name"]: each for each in reply.json["checks"]}


def test_what_only_a_running_service_knows(desk: Desk, operator: Person) -> None:
    found = checks(desk, operator)
    assert {"deployments", "keys", "journal", "backups"} <= found.keys()
    assert found["journal"]["status"] == "ok"
    assert found["backups"]["status"] == "warn"  # what is there is no backup
    assert found["backups"]["mend"] == "xinghe backup FILE"


def test_a_database_that_takes_no_writes_fails(
    desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    (writer, *_) = desk.database._writers
    monkeypatch.setattr(writer, "error", "disk full")
    found = checks(desk, operator)
    assert found["journal"]["status"] == "fail"
    assert "disk full" in found["journal"]["text"]


def examined(*answers: Ended | Exception) -> tuple[Examination, list[tuple[str, ...]]]:
    asked: list[tuple[str, ...]] = []

    async def run(*arguments: str, within: float, environment: Mapping[str, str]) -> Ended:
        asked.append(arguments)
        await asyncio.sleep(0)
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Examination(Settings(data="/nowhere"), run), asked


def test_all_who_ask_at_once_and_soon_after_are_told_the_same() -> None:
    async def ask() -> None:
        examination, asked = examined(Ended(1, FOUND, ""))
        found = await asyncio.gather(*(examination.examine() for _ in range(5)))
        assert {each.checks[0].status for each in found} == {"fail"}
        assert await examination.examine() is found[0]
        assert asked == [("doctor", "--running", "--json", "--data", "/nowhere")]

    asyncio.run(ask())


def test_who_leaves_does_not_end_it_for_others() -> None:
    async def ask() -> None:
        examination, _ = examined(Ended(0, FOUND, ""))
        leaving = asyncio.create_task(examination.examine())
        staying = asyncio.create_task(examination.examine())
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).checks[0].name == "disk"

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (TimeoutError(), "not ended within 60 s"),
        (FileNotFoundError(2, "No such file or directory"), "No such file"),
        (Ended(-9, "", ""), "ended with -9"),
        (Ended(1, "", "Traceback\nValueError: broken"), "ValueError: broken"),
    ],
)
def test_a_doctor_that_cannot_be_asked_is_a_finding(answer: Ended | Exception, said: str) -> None:
    async def ask() -> None:
        examination, _ = examined(answer, Ended(0, FOUND, ""))
        (check,) = (await examination.examine()).checks
        assert (check.name, check.status, check.mend) == ("doctor", "warn", "xinghe doctor")
        assert said in check.text

    asyncio.run(ask())
