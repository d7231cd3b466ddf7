"""Whose usage one may see: managers that of their groups, everybody else his own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.visitor import Visitor

USAGE, ENTRIES = "/console/usage", "/console/usage/entries"
PLACES = {"u-dean": "owner", "u-teacher": "manager", "u-pupil": "member", "u-other": "member"}


@pytest.fixture(scope="module")
def people(service: Server) -> Mapping[str, Visitor]:
    """A school with a class; its pupils have asked once and twice, and the class paid."""
    service.run("group", "create", "u-school", "--tokens", "1000")
    service.run("group", "create", "u-class", "--in", "u-school", "--tokens", "50000")
    found = {}
    for name, role in PLACES.items():
        service.run("member", "create", name, "--tokens", "0")
        service.run(
            "group", "add", "u-school" if name == "u-dean" else "u-class", name, "--role", role
        )
        scopes = ("--scope", "model.call", "--scope", "account.read", "--scope", "admin")
        token = service.token(*scopes, account=name)
        for _ in range({"u-pupil": 1, "u-other": 2}.get(name, 0)):
            reply = Api(service.url, token).chat(model=CHAT, messages=Script().messages)
            assert reply.status == 200, reply.text
        found[name] = Visitor(service.url)
        found[name].sign_in(token)
    return found


def test_a_manager_sees_his_class_by_member(people: Mapping[str, Visitor]) -> None:
    teacher = people["u-teacher"]
    own = teacher.get(USAGE)
    assert [each.get("value") for each in own.all("select[name=group] option")] == ["", "u-class"]
    page = teacher.get(f"{USAGE}?group=u-class&by=member&show=requests")
    assert sorted(page.texts(".legend li")) == [
        "\u2068u-other\u2069 2",
        "\u2068u-pupil\u2069 1",
    ]
    (pupil,) = [each for each in page.all(".legend a") if "u-pupil" in each.text_content()]
    entries = teacher.get(pupil.get("href"))
    (row,) = entries.texts("tbody tr")
    assert "u-pupil" in row
    assert "u-class" in row
    request = teacher.get(entries.all("tbody a")[-1].get("href"))
    assert request.status == 200
    assert "u-pupil" in request.text
    suggested = [each.get("value") for each in entries.all("datalist option")]
    assert len(suggested) == 3


def test_the_head_of_the_school_sees_its_classes(people: Mapping[str, Visitor]) -> None:
    dean = people["u-dean"]
    offered = [each.get("value") for each in dean.get(USAGE).all("select[name=group] option")]
    assert offered == ["", "u-school", "u-class"]
    for group in "u-school", "u-class":
        page = dean.get(f"{ENTRIES}?group={group}&kind=usage&member=u-other")
        assert len(page.texts("tbody tr")) == 2


def test_a_pupil_sees_himself_alone(people: Mapping[str, Visitor]) -> None:
    pupil = people["u-pupil"]
    page = pupil.get(ENTRIES)
    assert len(page.texts("tbody tr")) == 1
    assert page.all("select[name=group]") == []
    others = people["u-other"].get(ENTRIES).all("tbody a")[-1].get("href")
    assert pupil.get(others).status == 404
    assert pupil.get(f"{others}?group=u-class").status == 401
    for path in USAGE, ENTRIES:
        for query in "group=u-class", "group=none", "member=u-other":
            refused = pupil.get(f"{path}?{query}")
            assert (refused.status, len(refused.texts("tbody tr"))) == (401, 0)
            assert "这不是你能看的" in refused.texts("[role=alert]")[0]


def test_a_session_that_may_not_administrate_sees_its_own(service: Server) -> None:
    service.run("member", "create", "u-plain")
    visitor = Visitor(service.url)
    visitor.sign_in(service.token(account="u-plain"))
    for path in USAGE, ENTRIES:
        page = visitor.get(path)
        assert page.status == 200
        assert page.all("select[name=group], input[name=member]") == []


@pytest.mark.usefixtures("people")
def test_the_operator_names_anybody(operator: Visitor) -> None:
    page = operator.get(f"{ENTRIES}?member=u-other")
    assert page.status == 200
    assert len(page.texts("tbody tr")) == 2
