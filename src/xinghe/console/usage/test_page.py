"""The pages of usage: what is shown is what the API says, of whom it says it, under its filters."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.kit.api import STRICT, Api
from tests.kit.models import ABLE, CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

USAGE, ENTRIES = "/console/usage", "/console/usage/entries"


def ask(api: Api, model: str = CHAT, **fields: Any) -> str:
    """A request that is charged; its id."""
    reply = api.chat(model=model, messages=Script().messages, **fields)
    assert reply.status == 200, reply.text
    return reply.headers["x-request-id"]


def listed(api: Api, path: str) -> Any:
    reply = api.at(STRICT).get(path)
    assert reply.status == 200, reply.text
    return json.loads(reply.body, parse_float=Decimal)


def amount(value: Decimal) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def until(seconds: float, look: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end
        time.sleep(0.1)


def paths(page: Shown, selector: str) -> list[str]:
    return [each.get("href") for each in page.all(selector)]


def asked(path: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}


def test_who_has_used_nothing_is_told_what_to_do(member: Visitor) -> None:
    page = member.get(USAGE)
    assert (page.status, page.texts("h1")) == (200, ["使用明细"])
    assert "这段时间没有使用记录" in page.text
    assert "/console/start" in paths(page, ".empty a")
    assert page.all("svg.bars") == []
    listing = member.get(f"{ENTRIES}?kind=usage")
    assert "没有符合条件的收支" in listing.text


def test_the_entries_are_those_of_the_books(member: Visitor, api: Api) -> None:
    request_id = ask(api)
    page = member.get(ENTRIES)
    row, grant = page.all("tbody tr")
    entry = listed(api, "/account/entries")["data"][0]
    cells = [" ".join(each.text_content().split()) for each in row.cssselect("td")]
    assert cells[1:4] == [request_id, "使用", CHAT]
    assert amount(entry["amount"]) in cells
    assert amount(entry["balance_after"]) in cells
    assert [entry["prompt_tokens"], entry["completion_tokens"]] == [int(cells[5]), int(cells[7])]
    assert cells[-1] == "正常结束"
    assert "发放" in grant.text_content()
    assert "+1,000,000" in grant.text_content()
    assert f"/console/usage/requests/{request_id}" in paths(page, "tbody a")


def test_filters_stand_in_the_url_and_hold_for_both_tabs(member: Visitor, api: Api) -> None:
    for model in CHAT, CHAT, ABLE:
        ask(api, model)
    page = member.submit(member.get(ENTRIES), ENTRIES, model=ABLE, period="30d", kind="usage")
    assert asked(page.url) | {"model": ABLE, "period": "30d"} == asked(page.url)
    assert len(page.all("tbody tr")) == 1
    tabs = dict(zip(page.texts(".tabs a"), paths(page, ".tabs a"), strict=True))
    assert asked(tabs["图表"]) == {"model": ABLE, "period": "30d", "kind": "usage"}
    charts = member.get(tabs["图表"])
    assert len(charts.all("svg.bars rect")) == 1
    back = member.get(paths(charts, ".tabs a")[1])
    assert len(back.all("tbody tr")) == 1
    assert back.all("select[name=model] option[selected]")[0].get("value") == ABLE


def test_every_number_of_a_chart_opens_the_entries_behind_it(member: Visitor, api: Api) -> None:
    for model in CHAT, CHAT, ABLE:
        ask(api, model)
    for period in "24h", "7d", "month":
        page = member.get(f"{USAGE}?period={period}&show=requests")
        bars = paths(page, "svg.bars a")
        assert len(bars) == 2
        links = paths(page, "table td a")
        assert set(bars) < set(links)
        numbers = [int(text) for text in page.texts("table td a")]
        assert sorted(numbers) == [1, 2, 3]
        for path, number in zip(links, numbers, strict=True):
            assert len(member.get(path).all("tbody tr")) == number


@pytest.mark.parametrize(
    ("show", "field"),
    [("spend", "spent"), ("input", "prompt_tokens"), ("output", "completion_tokens")],
)
def test_a_chart_shows_what_is_chosen(member: Visitor, api: Api, show: str, field: str) -> None:
    ask(api)
    page = member.get(f"{USAGE}?show={show}")
    (bucket,) = listed(api, "/account/usage?by=model")["data"]
    (title,) = page.texts("svg.bars title")
    assert title.endswith("：" + amount(Decimal(bucket[field])))
    assert page.texts("table td a") == [amount(Decimal(bucket[field]))]
    assert page.all("svg.bars script, svg.bars [style]") == []


def test_series_by_token(member: Visitor, api: Api, service: Server) -> None:
    ask(api)
    name = listed(api, "/account")["name"]
    ask(api.bearing(service.token("--name", "second", account=name)))
    page = member.get(f"{USAGE}?by=token&show=requests")
    (second,) = [each for each in page.all(".legend a") if "second" in each.text_content()]
    token = asked(second.get("href"))["token"]
    assert len(member.get(second.get("href")).all("tbody tr")) == 1
    assert listed(api, f"/account/entries?token={token}")["data"][0]["token_name"] == "second"
    assert "second" in member.get(f"{ENTRIES}?token={token}").texts("tbody tr")[0]


def test_totals(member: Visitor, api: Api) -> None:
    ask(api)
    assert api.chat(model=CHAT, temperature=9).status == 400
    until(10, lambda: "50 %" in member.get(USAGE).text)
    page = member.get(USAGE)
    (bucket,) = listed(api, "/account/usage?by=model")["data"]
    figures = page.texts(".cards .figure")
    assert figures[:3] == [amount(bucket["spent"]), "1", "50 %"]
    assert figures[3] == f"{bucket['prompt_tokens']} / {bucket['completion_tokens']}"
    assert "malformed_json" in page.texts("tbody th code")
    assert "按返回的错误信息里的字段名修改" in page.text


def test_a_filter_that_is_refused_is_told_beside_the_form(member: Visitor) -> None:
    for tab in USAGE, ENTRIES:
        page = member.get(f"{tab}?period=range&from=2026-11-29&to=2026-11-01")
        assert page.status == 400
        assert page.all(".filters input[name=to]")[0].get("value") == "2026-11-01"
        assert "结束时间不对" in page.texts("[role=alert]")[0]
        assert page.all(".filters input[name=to][aria-invalid]")
        token = member.get(f"{tab}?token=what")
        assert token.status == 400
        assert "10 letters and digits" in token.texts("[role=alert]")[0]
        assert token.all(".filters [name=token][aria-invalid]")
    assert member.get(f"{ENTRIES}?after=nonsense").status == 400
    assert member.get(f"{USAGE}?from=1990-01-01&to=2026-11-01").status == 400


def test_times_at_the_ends_of_the_calendar(member: Visitor) -> None:
    for tab in USAGE, ENTRIES:
        for times in "to=0001-01-01", "from=0001-01-01", "from=0001-01-01&to=0001-01-02":
            page = member.get(f"{tab}?{times}")
            assert (page.status, len(page.texts(".filters"))) == (400, 1), times
        last = member.get(f"{tab}?from=9999-12-31T23:00&to=9999-12-31T23:59")
        assert (last.status, len(last.texts(".empty"))) == (200, 1)


def test_a_request_and_what_it_cost(member: Visitor, api: Api) -> None:
    request_id = ask(api)
    found = member.submit(member.get(USAGE), "/console/usage/requests", id=request_id)
    assert (found.status, found.path) == (200, f"/console/usage/requests/{request_id}")
    told = listed(api, f"/account/requests/{request_id}")
    rows = [each.split() for each in found.texts("tbody tr")]
    assert [amount(told["input_cost"]), amount(told["output_cost"])] == [row[-1] for row in rows]
    assert found.texts("tfoot strong") == [amount(told["cost"])]
    assert len(found.all("svg.timeline rect")) >= 1
    assert "正常结束" in found.text


def test_a_refused_request_says_what_to_do(member: Visitor, api: Api) -> None:
    refused = api.chat(model=CHAT, temperature=9)
    path = f"/console/usage/requests/{refused.headers['x-request-id']}"
    until(10, lambda: member.get(path).status == 200)
    page = member.get(path)
    assert "malformed_json" in page.text
    assert "按返回的错误信息里的字段名修改" in page.text
    member.cookies["xinghe-language"] = "en"
    assert "Mend the field" in member.get(path).text


def test_nobody_sees_what_is_not_his(member: Visitor, operator: Visitor, api: Api) -> None:
    request_id = ask(api)
    path = f"/console/usage/requests/{request_id}"
    assert member.get(path).status == 200
    other = operator.get(path)
    assert other.status == 404
    assert "没有这个请求" in other.text
    page = member.get(f"{ENTRIES}?member=default")
    assert page.status == 401
    assert "这不是你能看的" in page.text
    assert member.get(f"{ENTRIES}.csv?group=none").status == 401
    nobody = Visitor(member.url)
    assert nobody.get(f"{ENTRIES}.csv").path == "/"


def test_the_files_are_those_of_the_api(member: Visitor, api: Api) -> None:
    for model in CHAT, ABLE:
        ask(api, model)
    whole = listed(api, "/account/entries?kind=usage")["data"]
    reply = member.get(f"{ENTRIES}.csv?kind=usage").reply
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="xinghe-entries.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert [row["request_id"] for row in rows] == [each["request_id"] for each in whole]
    lines = member.get(f"{ENTRIES}.jsonl?model={ABLE}").reply.body.splitlines()
    assert [json.loads(line)["model"] for line in lines] == [ABLE]
    sums = member.get(f"{USAGE}/sums.csv").reply.body.decode("utf-8-sig")
    assert {row["model"] for row in csv.DictReader(io.StringIO(sums))} == {CHAT, ABLE}
