"""The overview: what is left and when it ends, how the last days were, what stands in the way."""

from __future__ import annotations

import asyncio
import datetime
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.kit.api import Api
from tests.kit.history import Past, live
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.used import HOUR, MICRO, use
from tests.kit.visitor import Shown, Visitor

from xinghe.console import advice
from xinghe.storage import Database

HOSTILE = "<img src=x onerror=alert(1)> 很长" + "长" * 60


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Somebody with forty days behind him, an account of many lots, and groups."""
    data = tmp_path_factory.mktemp("past")
    service = Server(data)
    run = service.run
    run("member", "create", "小明")
    scopes = [part for each in ("account.read", "admin") for part in ("--scope", each)]
    token = service.token("--name", "notebook", *scopes, account="小明")
    asyncio.run(_live(data))
    for tokens, days, note in (
        ("300", "20d", HOSTILE),
        ("200", "3d", "soon"),
        ("100", "90d", "late"),
    ):
        run("member", "grant", "小明", tokens, "--expires", days, "--note", note)
    run("budget", "create", "--member", "小明", "--tokens", "300000", "--per", "month")
    run("budget", "create", "--member", "小明", "--requests", "7", "--per", "day", "--model", CHAT)
    run("group", "create", "一班")
    run("group", "add", "一班", "小明", "--role", "manager", "--pays", "group,own")
    with service:
        visitor = Visitor(service.url)
        visitor.sign_in(token)
        yield visitor


async def _live(data: Path) -> None:
    async with await Database.open(data) as database:
        await live(database, Past("小明", ("notebook",), days=30, requests=6))


def card(page: Shown, name: str) -> str:
    (found,) = [each for each in page.texts("article.card") if each.startswith(name)]
    return found


def test_a_newcomer_is_shown_the_way(member: Visitor, api: Api) -> None:
    page = member.get("/console/")
    assert page.status == 200, page.text
    assert page.texts("main h2")[0] == "快速开始"
    assert [each.get("href") for each in page.all(".hero a[role=button]")] == ["/console/start"]
    assert card(page, "可用余额") == "可用余额（Token） 1,000,000"
    assert card(page, "请求").startswith("请求 0")
    assert not page.all("svg.chart a")
    assert api.chat(model=CHAT).status == 200
    page = member.get("/console/")
    assert "快速开始" not in page.texts("main h2")
    assert card(page, "请求").startswith("请求 1")


def test_the_last_days_beside_those_before(past: Visitor) -> None:
    """As the API tells them, whatever the page makes of it."""
    today = datetime.datetime.now(datetime.UTC).date()
    session = Api(past.url, past.cookies["xinghe-session"]).at("/v1")

    def asked(first: int, last: int) -> dict[str, Decimal]:
        begin, end = (today - datetime.timedelta(days=each) for each in (first, last))
        told = session.get(f"/account/usage?from={begin}&to={end}&interval=month").json["data"]
        failed = sum(sum(each["errors"].values()) for each in told)
        return {
            "spent": sum((Decimal(str(each["spent"])) for each in told), Decimal()),
            "requests": Decimal(sum(each["requests"] for each in told)),
            "failed": Decimal(failed),
        }

    late, before = asked(13, 0), asked(27, 14)
    past.cookies["xinghe-zone"] = "UTC"
    page = past.get("/console/")
    for name, field in ("花费", "spent"), ("请求", "requests"):
        change = late[field] / before[field] - 1
        told = card(page, name)
        assert f"{late[field].normalize():,f}" in told
        assert f"之前 {before[field].normalize():,f}" in told
        arrow, word = ("▲", "多") if change > 0 else ("▼", "少")
        assert f"{arrow} {abs(change) * 100:.1f}".removesuffix(".0") in told
        assert f"比前 14 天{word}" in told
    share = late["failed"] / late["requests"] * 100
    assert f"{share:.1f}".removesuffix(".0") + " %" in card(page, "出错的请求")
    assert "ms" in card(page, "平均首字时间")


def test_every_bar_leads_to_its_day_and_stands_in_the_table(past: Visitor) -> None:
    page = past.get("/console/")
    days = page.texts("details tbody th")
    assert len(days) == 14
    assert days == sorted(days, reverse=True)
    links = [a.get("href") for a in page.all("svg.chart a")]
    busy = [
        row.cssselect("a")[0].get("href")
        for row in page.all("details tbody tr")
        if row.cssselect("td")[1].text_content() != "0"
    ]
    assert len(busy) >= 5
    assert set(links) == set(busy) <= {f"/console/usage?from={day}&to={day}" for day in days}
    assert past.get(links[0]).status == 200


def test_the_days_are_those_of_the_browser(past: Visitor) -> None:
    for zone in "Pacific/Kiritimati", "Pacific/Pago_Pago":
        past.cookies["xinghe-zone"] = zone
        here = datetime.datetime.now(ZoneInfo(zone)).date().isoformat()
        assert past.get("/console/").texts("details tbody th")[0] == here
    del past.cookies["xinghe-zone"]


def test_lots_the_soonest_to_expire_first(past: Visitor) -> None:
    page = past.get("/console/")
    rows = page.texts("[aria-labelledby=lots] tbody tr")
    assert rows[0].endswith("soon")
    assert "还有 3 天" in rows[0] or "还有 2 天" in rows[0]
    ends = [row[:10] for row in rows if not row.startswith("不过期")]
    assert ends == sorted(ends)
    assert not any("还有" in row for row in rows[1:])
    assert rows[-1].startswith("不过期")
    assert HOSTILE in rows[1]
    assert not page.all("main img")


def test_budgets_and_what_is_left_of_them(past: Visitor) -> None:
    page = past.get("/console/")
    budgets = page.texts("article.budget")
    assert any("每月 300,000 Token" in each and "重新开始" in each for each in budgets)
    assert any(CHAT in each and "每天 7 次请求" in each for each in budgets)
    bars = page.all("article.budget progress")
    assert [each.get("max") for each in bars] == ["7", "300000"]
    assert all(each.get("aria-label") for each in bars)


def test_whoever_manages_a_group_sees_its_wallet(past: Visitor) -> None:
    page = past.get("/console/")
    assert "我管理的组 一班" in page.texts("main h2")
    assert card(page, "组 一班").endswith("第 1 个付款")
    assert card(page, "自己的钱包").endswith("第 2 个付款")


def test_it_can_be_read_in_english(past: Visitor) -> None:
    page = past.get("/console/", {"Accept-Language": "en"})
    assert page.texts("h1") == ["Overview"]
    assert any("300,000 Tokens a month" in each for each in page.texts("article.budget"))
    assert "more than in the 14 days before" in page.text or "less than" in page.text


def test_a_session_that_may_only_read(service: Server) -> None:
    """It was made of an access token without `admin`: what needs that is left out."""
    service.run("member", "create", "reader")
    visitor = Visitor(service.url)
    page = visitor.sign_in(service.token("--scope", "account.read", account="reader"))
    assert (page.status, page.path, page.texts("h1")) == (200, "/console/", ["总览"])


def test_many_sums_are_read_to_the_end(service: Server, member: Visitor, member_token: str) -> None:
    """The API tells those of 20,000 hours and models at once."""
    number, models = 45_000, [f"model-{each}" for each in range(45)]
    apart = 20 * 24 * HOUR // number
    since = int(time.time() * MICRO) - number * apart
    use(service, member_token, models, number, since=since, apart=apart)
    told = re.match(
        r"请求 (\d+).*之前 (\d+)", card(member.get("/console/"), "请求").replace(",", "")
    )
    assert told is not None
    assert int(told[1]) + int(told[2]) == number


def test_what_failed_and_what_to_do(past: Visitor) -> None:
    page = past.get("/console/")
    rows = page.all("[aria-labelledby=failed] tbody tr")
    assert len(rows) == 6
    times = page.texts("[aria-labelledby=failed] tbody th")
    assert times == sorted(times, reverse=True)
    code = "rpm_rate_limit_exceeded"
    limited = [text for row in rows if code in (text := row.text_content())]
    assert limited
    assert all(advice.of(code)[0] in each for each in limited)
    for row in rows:
        (link,) = row.cssselect("a")
        one = past.get(link.get("href"))
        assert (one.status, link.text in one.text) == (200, True)


def test_nothing_has_failed(member: Visitor) -> None:
    assert "最近 7 天没有失败的请求" in member.get("/console/").text
