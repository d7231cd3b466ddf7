"""`/console/safety`: lists are written, and a text is tried by them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.kit.server import Server
from tests.kit.visitor import Visitor

PATH = "/console/safety"
LIST = f"{PATH}/lists/names.txt"


@pytest.fixture(autouse=True)
def _as_it_was(service: Server) -> Iterator[None]:
    """The service is that of other tests, too."""
    versions = service.run("config", "versions", "--json")
    before = json.loads(versions)[0]["version"]
    yield
    service.run("config", "revert", str(before))


def test_who_is_no_operator_sees_nothing(member: Visitor) -> None:
    assert member.get(PATH).status == 403
    assert member.get(LIST).status == 403


def test_a_list_is_written_tried_and_taken_out(operator: Visitor) -> None:
    made = operator.submit(operator.get(PATH), f"{PATH}/lists", name="names.txt")
    assert made.path == LIST
    done = operator.submit(made, LIST, phrases="# ours\r\n独角兽计划\t2\r\n", note="<b>why</b>")
    assert "names.txt" in done.text
    assert done.texts("tbody td") == ["1"]
    tried = operator.submit(done, PATH, text="说说独角兽计划")
    assert "operator/names" in tried.text
    assert "第 2 级" in tried.text
    fine = operator.submit(tried, PATH, text="说说天气")
    assert fine.texts("dd .tag") == ["没有发现", "没有发现"]
    gone = operator.submit(operator.get(LIST), LIST, phrases=" ")
    assert "names.txt" not in " ".join(gone.texts("tbody th"))


def test_what_is_wrong_is_told_and_kept(operator: Visitor) -> None:
    wrong = f"{PATH}/lists/evil.sh"
    refused = operator.submit(operator.get(wrong), wrong, phrases="x")
    assert refused.status == 400
    assert refused.all("textarea")[0].text_content().strip() == "x"
    assert operator.submit(operator.get(PATH), PATH, text="").status == 400


def test_what_the_page_has_room_for_is_taken(operator: Visitor) -> None:
    """A sign of Chinese takes nine bytes of a form."""
    text = "天气很好" * 5000
    assert operator.submit(operator.get(PATH), PATH, text=text).status == 200
    phrases = "\n".join(f"独角兽的计划{number}" for number in range(1400))
    done = operator.submit(operator.get(LIST), LIST, phrases=phrases)
    assert done.texts("tbody td") == ["1,400"]
    assert operator.get(LIST).all("textarea")[0].text_content().strip() == phrases


def test_nobody_overwrites_what_another_has_changed(operator: Visitor) -> None:
    early, late = operator.get(LIST), operator.get(LIST)
    operator.submit(early, LIST, phrases="一\n")
    refused = operator.submit(late, LIST, phrases="二\n")
    assert refused.status == 412
    assert operator.get(LIST).all("textarea")[0].text_content().strip() == "一"
