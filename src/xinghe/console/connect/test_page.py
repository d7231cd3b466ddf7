"""The page of programs that people connect: what stands in the settings, and for how long."""

from __future__ import annotations

import re

import pytest
from tests.kit.api import Api
from tests.kit.models import ABLE, CHAT
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

from xinghe.clients import CLIENTS

PATH = "/console/connect"
MAKE, CHOOSE = f"{PATH}/token", f"{PATH}/settings"


def settings(page: Shown) -> dict[str, str]:
    """All that is pasted, by program."""
    return {
        each.get("id"): "\n".join(code.text_content() for code in each.cssselect("code"))
        for each in page.all(".tabs > .tab")
    }


def test_all_programs_stand_there_with_a_place_for_the_token(
    service: Server, member: Visitor
) -> None:
    page = member.get(PATH)
    found = settings(page)
    assert list(found) == [each.id for each in CLIENTS]
    assert all("xh-…" in text for text in found.values())
    assert all(service.url in text for text in found.values())
    assert "令牌只在创建时显示一次" in page.text
    tried = {each.text_content().strip() for each in page.all("#dify .tag, #codex .tag")}
    assert tried == {"未试", "用 0.171.0 试过"}
    assert f"{service.url}/llm/lmapi/v3" in page.texts(".facts code")


def test_a_token_is_made_put_into_all_of_them_and_shown_this_once(
    service: Server, member: Visitor
) -> None:
    page = member.submit(member.get(f"{PATH}?client=aider"), MAKE)
    token = page.texts("#secret")[0]
    assert page.reply.headers["cache-control"] == "no-store"
    assert all(token in text for text in settings(page).values())
    assert Api(service.url, token).at("/v1").get("/models").status == 200
    assert page.all("input[name=client][checked]")[0].get("value") == "aider"
    # Another model, and the token stays.
    again = member.submit(page, CHOOSE, model=CHAT)
    assert again.reply.headers["cache-control"] == "no-store"
    assert all(token in text for text in settings(again).values())
    assert CHAT in settings(again)["aider"]
    assert token not in member.get(PATH).text


def test_a_token_is_chosen_by_its_name_with_the_models_that_it_may_use(
    member: Visitor, member_token: str
) -> None:
    mine = Api(member.url, member_token).at("/admin/v1")
    me = mine.at("/v1").get("/account").json["appid"]
    body = {"name": "笔记本 <b>", "models": [ABLE]}
    made = mine.post(f"/members/{me}/tokens", body)
    assert made.status == 200, made.json
    public = made.json["id"]
    page = member.get(f"{PATH}?token={public}&client=codex")
    offered = [each.get("value") for each in page.all("select[name=model] option")]
    assert offered == ["", ABLE]
    assert f"笔记本 <b> ({public})" in page.texts("select[name=token] option")
    found = settings(page)
    assert all(f"xh-{public}-…" in text for text in found.values())
    assert f'model = "{ABLE}"' in found["codex"]
    assert made.json["secret"] not in page.text


def test_whoever_may_make_none_fills_in_his_own(service: Server, nobody: Visitor) -> None:
    nobody.sign_in(service.token())
    page = nobody.get(PATH)
    assert not page.all("select[name=token]")
    assert [form.get("action") for form in page.document.forms if PATH in form.get("action")] == [
        PATH
    ]
    assert page.document.forms[-1].get("method") == "get"


@pytest.mark.parametrize("path", ["?client=nobody&model=none&token=none", "?client=<i>"])
def test_what_is_not_known_is_as_if_nothing_was_chosen(member: Visitor, path: str) -> None:
    page = member.get(PATH + path)
    assert page.status == 200
    assert page.all("input[name=client][checked]")[0].get("value") == CLIENTS[0].id


def test_in_english(member: Visitor) -> None:
    page = Visitor(member.url, {"Accept-Language": "en"})
    page.cookies = member.cookies
    shown = page.get(PATH)
    assert shown.texts("h1") == ["Connect your client"]
    assert not re.search("[\u4e00-\u9fff]", re.sub("中文|你好", "", shown.text))


def test_a_token_is_made_by_a_form_of_ours_alone(member: Visitor) -> None:
    assert member.post(MAKE, {}).status == 403
    assert member.post(CHOOSE, {"secret": "x"}).status == 403
