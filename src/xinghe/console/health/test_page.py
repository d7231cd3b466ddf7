"""`/console/health`: what is found, what that means, and what mends it."""

from __future__ import annotations

import ast
import inspect

import pytest
from tests.kit.visitor import Visitor

from xinghe.console.health import words
from xinghe.doctor import configuration, installation, machine, network, postgresql
from xinghe.doctor.run import RUNNING

PATH = "/console/health"


def told() -> set[tuple[str, str]]:
    """What the doctor may find of a running service: names of checks, and how they end."""
    found = set()
    for module in (configuration, installation, machine, network, postgresql):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("ok", "warn", "fail"):
                name = node.args[0]
                known = isinstance(name, ast.Constant)
                text = name.value if known else getattr(module, "NAME", "")  # type: ignore[attr-defined]
                found.add((text, node.func.id))
    others = {"port", "service", "venv", ""}
    return {(name, status) for name, status in found if name not in others}


def test_each_finding_has_its_words() -> None:
    found = told()
    assert len({name for name, _ in found}) >= len(RUNNING) - 2
    for name, status in found:
        assert name in words.TITLES, name
        assert status == "ok" or (name, status) in words.MEANINGS, (name, status)


def test_who_is_no_operator_sees_nothing(member: Visitor) -> None:
    assert member.get(PATH).status == 403
    assert member.get(f"{PATH}/findings").status == 403


def test_the_page_comes_at_once_and_what_is_found_behind_it(operator: Visitor) -> None:
    page = operator.get(PATH)
    [part] = page.all("[hx-get]")
    assert part.get("hx-get") == f"{PATH}/findings"
    assert page.all(f"noscript a[href='{PATH}/findings']")
    shown = operator.get(f"{PATH}/findings")
    assert shown.texts("h1") == ["体检"]
    assert "项检查" in shown.texts(".notice")[0]
    assert {"Python", "数据库", "磁盘空间"} <= set(shown.texts("dt"))
    [backups] = [each for each in shown.texts("section.card") if each.startswith("备份")]
    assert "xinghe backup FILE" in backups
    assert shown.all("#check-backups + a[href='/console/backups']")
    partial = operator.get(f"{PATH}/findings", {"HX-Request": "true"})
    assert not partial.all("h1")


@pytest.mark.parametrize("target", ["div#findings", "findings", "x<b>"])
def test_a_part_that_cannot_be_had_is_asked_for_again(member: Visitor, target: str) -> None:
    asked = {"HX-Request": "true", "HX-Target": target}
    part = member.get(f"{PATH}/findings", asked)
    assert part.status == 403
    assert not part.all("main")
    [again] = part.all("[hx-get]")
    assert again.get("hx-get") == f"{PATH}/findings"
    assert again.get("id") in ("findings", "xb")
