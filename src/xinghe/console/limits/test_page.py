"""`/console/limits`: what holds, where it is set, and a change that holds without a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.kit.api import Api
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

PATH = "/console/limits"
MODEL = "ernie-3.5-8k"


@pytest.fixture
def _as_it_was(service: Server) -> Iterator[None]:
    """The service is that of other tests, too."""
    before = json.loads(service.run("config", "versions", "--json"))[0]["version"]
    yield
    service.run("config", "revert", str(before))


def row(page: Shown, name: str) -> list[str]:
    """The cells of a row of any table."""
    for each in page.all("tbody tr"):
        cells = [" ".join(cell.text_content().split()) for cell in each]
        if cells[0] == name:
            return cells
    raise AssertionError(f"no row {name}")


def test_it_is_operators_alone(member: Visitor) -> None:
    assert member.get(PATH).status == 403
    mark = member.get("/console/start").all("input[name=mark]")[0].get("value")
    ours = {"Origin": member.url, "Sec-Fetch-Site": "same-origin"}
    for path in "members", "defaults", "model":
        fields = {"mark": mark, "model": MODEL, "rpm": "1"}
        assert member.post(f"{PATH}/{path}", fields, ours).status == 403


def test_what_holds_is_shown_with_where_it_is_set(operator: Visitor) -> None:
    page = operator.get(PATH)
    assert row(page, MODEL)[1:4] == ["不限", "不限", "默认"]
    assert row(page, "scripted")[1:] == ["64", "64"]
    assert row(page, "一个请求的大小")[1:] == ["server.max_body_bytes", "64 MiB"]
    [qps] = page.all("form[action='/console/limits/members'] input[name=qps]")
    assert qps.get("value") == "0"


@pytest.mark.usefixtures("_as_it_was")
def test_a_change_holds_at_once(operator: Visitor, api: Api) -> None:
    page = operator.get(f"{PATH}?model={MODEL}")
    done = operator.submit(page, f"{PATH}/model", rpm="1,234", tpm="", note="期末")
    assert "已经生效" in done.texts(".notice")[0]
    assert row(done, MODEL)[1:4] == ["1,234", "不限", "models"]
    assert api.chat(model=MODEL).headers["x-ratelimit-limit-requests"] == "1234"
    stale = operator.submit(page, f"{PATH}/model", rpm="7", tpm="")
    assert stale.status == 412
    assert "有人在您打开这一页之后改过配置" in stale.text
    assert row(operator.get(PATH), MODEL)[1] == "1,234"
    back = operator.submit(operator.get(f"{PATH}?model={MODEL}"), f"{PATH}/model", rpm="")
    assert row(back, MODEL)[1:4] == ["不限", "不限", "默认"]


@pytest.mark.usefixtures("_as_it_was")
def test_those_of_members_and_of_all_models(operator: Visitor) -> None:
    changed = operator.submit(operator.get(PATH), f"{PATH}/members", qps="5000.5", queue="7")
    [qps] = changed.all("form[action='/console/limits/members'] input[name=qps]")
    assert qps.get("value") == "5000.5"
    changed = operator.submit(changed, f"{PATH}/defaults", rpm="50000", tpm="9")
    assert row(changed, MODEL)[1:4] == ["50,000", "9", "默认"]


@pytest.mark.parametrize(
    ("form", "fields", "said"),
    [
        ("members", {"qps": "-1"}, "limits"),
        ("members", {"wait": "soon"}, "limits"),
        ("defaults", {"rpm": "1.5"}, "defaults"),
        ("model", {"rpm": "1e30"}, "models"),
    ],
)
def test_what_is_no_limit_is_refused_beside_what_was_typed(
    operator: Visitor, form: str, fields: dict[str, str], said: str
) -> None:
    page = operator.get(f"{PATH}?model={MODEL}")
    refused = operator.submit(page, f"{PATH}/{form}", **fields)
    assert refused.status == 400
    assert said in refused.texts(".notice.bad")[0]
    [(name, value)] = fields.items()
    [typed] = refused.all(f"form[action='{PATH}/{form}'] input[name={name}]")
    assert typed.get("value") == value
