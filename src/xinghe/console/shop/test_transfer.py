"""Tokens are moved to a fellow or to a group, by name."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

SHOP = "/console/shop"
FORM = f"{SHOP}/transfer#transfer"
HOSTILE = '<script>alert(1)</script>"&'


@dataclass(frozen=True)
class Class:
    """A group of two, of whom `pupil` is signed in; and somebody who is in none."""

    group: str
    pupil: Visitor
    mate: str
    stranger: str


@pytest.fixture
def school_class(service: Server, make_member: Callable[[str], str]) -> Class:
    group, mate, stranger, pupil = (f"{kind}{secrets.token_hex(4)}" for kind in "gmsp")
    token = make_member(pupil)
    for name in (mate, stranger):
        service.run("member", "create", name)
    service.run("group", "create", group)
    for name in (pupil, mate):
        service.run("group", "add", group, name)
    visitor = Visitor(service.url)
    visitor.sign_in(token)
    return Class(group, visitor, mate, stranger)


def move(visitor: Visitor, **fields: str) -> Shown:
    given = {"tokens": "1,500", "reason": "小组作业", **fields}
    return visitor.submit(visitor.get(SHOP), FORM, **given)


def test_to_a_fellow_and_to_the_group(service: Server, school_class: Class) -> None:
    who = school_class
    done = move(who.pupil, member=who.mate)
    assert f"已转 1,500 Token 给 {who.mate}" in done.text
    assert "1001500" in service.run("member", "show", who.mate, "--json")
    done = move(who.pupil, group=who.group, tokens="250")
    assert f"已转 250 Token 给 {who.group}" in done.text
    assert "998,250 Token" in done.text
    assert not done.all("input[name=tokens]")[0].get("value")


def test_the_same_form_twice_moves_once(service: Server, school_class: Class) -> None:
    who = school_class
    page = who.pupil.get(SHOP)
    fields = {"tokens": "10", "reason": "r", "member": who.mate}
    texts = {who.pupil.submit(page, FORM, **fields).text for _ in range(2)}
    assert len(texts) == 1
    assert "1000010" in service.run("member", "show", who.mate, "--json")
    # Who goes back and types something else moves that, too.
    assert "已转 20 Token" in who.pupil.submit(page, FORM, **fields | {"tokens": "20"}).text


def test_whether_there_is_somebody_elsewhere_is_not_told(school_class: Class) -> None:
    who = school_class
    told = set()
    for name in (who.stranger, f"n{secrets.token_hex(4)}"):
        refused = move(who.pupil, member=name)
        assert refused.status == 404
        assert "只能转给自己所在的组" in refused.text
        assert refused.all("input[name=member]")[0].get("value") == name
        refused.all("input[name=member]")[0].set("value", "")
        told.add(refused.text.replace(name, "…"))
    assert len({text[text.index("转账") :] for text in told}) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": "0"},
        {"tokens": "-5"},
        {"tokens": "NaN"},
        {"tokens": "1e400"},
        {"tokens": "999999999999"},
        {"tokens": "0.5"},
        {"reason": ""},
        {"member": ""},
        {"group": "mine"},
        {"reason": HOSTILE * 10},
        {"member": HOSTILE},
    ],
)
def test_what_is_refused_keeps_what_was_typed(school_class: Class, fields: dict[str, str]) -> None:
    who = school_class
    given = {"member": who.mate, **fields}
    if given.get("group"):
        given["group"] = who.group
    refused = move(who.pupil, **given)
    assert 400 <= refused.status < 500
    assert refused.all("[role=alert]")
    assert not refused.all("main script")
    for name, value in given.items():
        if name != "group":
            assert refused.all(f"form[action='{FORM}'] input[name={name}]")[0].get("value") == value


def test_figures_in_full_width_are_figures(service: Server, school_class: Class) -> None:
    move(school_class.pupil, member=school_class.mate, tokens="１２３")
    assert "1000123" in service.run("member", "show", school_class.mate, "--json")


def test_who_is_in_a_group_is_shown_to_its_managers_alone(
    service: Server, school_class: Class, make_member: Callable[[str], str]
) -> None:
    who = school_class
    assert who.mate not in who.pupil.get(SHOP).reply.text
    assert who.group in who.pupil.get(SHOP).text
    name = f"t{secrets.token_hex(4)}"
    teacher = Visitor(service.url)
    token = make_member(name)
    service.run("group", "add", who.group, name, "--role", "manager")
    teacher.sign_in(token)
    page = teacher.get(SHOP)
    offered = [each.get("value") for each in page.all("#members option")]
    assert who.mate in offered
    assert name not in offered
    assert who.stranger not in page.reply.text
    wallet = next(
        each.get("value")
        for each in page.all("#wallet-transfer option")
        if who.group in each.text_content()
    )
    service.run("group", "grant", who.group, "5000")
    assert f"已转 1,500 Token 给 {who.mate}" in move(teacher, wallet=wallet, member=who.mate).text
