"""Much usage, and names that mean harm: what is shown stays short, whole and harmless."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from tests.kit.chromium import WIDTHS, Person, chromium
from tests.kit.raw import Connection
from tests.kit.server import Server
from tests.kit.used import COST, HOUR, MICRO, use
from tests.kit.visitor import Visitor

from xinghe.console.sums import LIMIT

USAGE, ENTRIES = "/console/usage", "/console/usage/entries"
NUMBER = 10_000
SCRIPT = "<script>alert('model')</script>"
HEBREW = "מודל-גדול"
LONG = "organisation/a-very-long-model-id-" + "x" * 90
MODELS = [SCRIPT, HEBREW, LONG, *(f"model-{number}" for number in range(9))]
NAME = '"><img src=x onerror=alert(1)> שלום'


@pytest.fixture(scope="module")
def much(service: Server) -> Visitor:
    """Somebody who has made 10,000 requests to twelve models, the newest an hour ago."""
    service.run("member", "create", NAME)
    token = service.token(
        "--name", NAME, "--scope", "account.read", "--scope", "admin", account=NAME
    )
    apart = 20 * 24 * HOUR // NUMBER
    since = int(time.time() * MICRO) - HOUR - NUMBER * apart
    use(service, token, MODELS, NUMBER, since=since, apart=apart)
    visitor = Visitor(service.url)
    visitor.sign_in(token)
    return visitor


def test_ten_thousand_entries_page_by_page(much: Visitor) -> None:
    page = much.get(f"{ENTRIES}?period=30d&kind=usage")
    assert page.texts(".sums dd")[:2] == [f"{NUMBER * COST / MICRO:g}", "10,000"]
    seen: list[str] = []
    for _ in range(3):
        rows = page.texts("tbody tr")
        assert len(rows) == 50
        seen += rows
        page = much.get(page.all("a[rel=next]")[0].get("href"))
        assert page.texts(".sums dd")[1] == "10,000"
    assert len(set(seen)) == 150
    assert page.texts(".links a")[-2:] == ["第一页", "下一页（更早）"]


def test_all_of_it_as_a_file(much: Visitor) -> None:
    lines = much.get(f"{ENTRIES}.jsonl?period=30d&kind=usage").reply.body.splitlines()
    assert len(lines) == len(set(lines)) == NUMBER


def test_eight_series_and_the_others(much: Visitor) -> None:
    page = much.get(f"{USAGE}?period=30d&show=requests")
    legend = page.texts(".legend li")
    assert len(legend) == 9
    assert legend[-1].startswith("其他 4 个 ")
    bars = page.all("svg.bars rect")
    drawn = Counter(bar.get("class") for bar in bars)
    assert set(drawn) == {f"s{number}" for number in range(9)}
    shown = [int(text.rpartition("：")[2].replace(",", "")) for text in page.texts("svg title")]
    assert sum(shown) == NUMBER
    assert page.texts(".cards .figure")[1] == "10,000"
    assert all(float(bar.get("y")) >= 0 and float(bar.get("height")) >= 0 for bar in bars)


@pytest.mark.parametrize("by", ["model", "token"])
def test_names_do_no_harm(much: Visitor, by: str) -> None:
    for path in (
        f"{USAGE}?period=30d&by={by}",
        f"{ENTRIES}?period=30d",
        f"{ENTRIES}?model={quote(HEBREW)}",
    ):
        page = much.get(path)
        assert page.status == 200
        assert [each for each in page.all("script") if not each.get("src")] == []
        assert page.all("[onerror], img[src=x]") == []
        for each in page.all("option, svg title"):
            text = each.text_content()
            assert text.count("\u2068") == text.count("\u2069")
            assert HEBREW not in text or "\u2068" in text
        for each in page.all("td, .legend a"):
            if HEBREW in each.text_content() or NAME in each.text_content():
                assert each.cssselect("bdi"), each.text_content()


def test_a_hostile_filter_is_text(much: Visitor) -> None:
    page = much.get(f"{ENTRIES}?period=30d&model=%3Cscript%3Ealert('model')%3C/script%3E")
    assert len(page.texts("tbody tr")) == 50
    assert all(SCRIPT in row for row in page.texts("tbody tr"))
    assert [each for each in page.all("script") if not each.get("src")] == []


def test_who_leaves_an_export_ends_it(much: Visitor, service: Server) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in much.cookies.items())
    with Connection(service.url) as connection:
        connection.request("GET", f"{ENTRIES}.csv?period=30d", None, {"Cookie": cookies})
        status, _ = connection.head()
        assert status == 200
    end = time.monotonic() + 20
    while '"client_gone"' not in service.tail(20):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_much_keeps_nobody_out(much: Visitor, width: int, theme: str) -> None:
    request = much.get(f"{ENTRIES}?period=30d&kind=usage").all("tbody a")[-1].get("href")
    found = {}
    with chromium() as browser:
        viewport = {"width": width, "height": 900}
        person = Person(browser, much.url, color_scheme=theme, viewport=viewport)
        person.bring(much.cookies)
        for path in (
            f"{USAGE}?period=30d", f"{USAGE}?period=24h&by=token", f"{USAGE}?to=1999-01-01",
            f"{ENTRIES}?period=30d", f"{ENTRIES}?group=none", request, "/console/usage/requests/x",
        ):  # fmt: skip
            person.go(path)
            wrong = person.barriers()
            if person.is_wider_than_its_window():
                wrong.append("it is wider than its window")
            # That a refused page is refused is told by its status, which the browser notes.
            wrong += [fault for fault in person.faults if "status of 4" not in fault]
            found[path] = wrong
            person.faults.clear()
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_the_largest_of_very_many(much: Visitor, service: Server) -> None:
    """More sums than are read at once, however full pages are: 88 days of 26 models."""
    token = service.token("--name", "many", account=NAME)
    since = int(time.time() * MICRO) - 88 * 24 * HOUR
    weighed = [*MODELS, *(f"rare-{number}" for number in range(14)), *MODELS[:3], *MODELS[:3]]
    use(service, token, weighed, 9_600, since=since, apart=87 * 24 * HOUR // 9_600)
    first = f"{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=89):%Y-%m-%d}"
    last = f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1):%Y-%m-%d}"
    when = f"from={first}&to={last}&token={token.split('-')[1]}&show=requests"
    sums = much.get(f"{USAGE}/sums.jsonl?{when}").reply.body.splitlines()
    assert len(sums) > 2 * LIMIT
    page = much.get(f"{USAGE}?{when}")
    assert page.all("[role=status]") == []
    legend = page.texts(".legend li")
    assert [each.rpartition(" ")[2] for each in legend] == ["900"] * 3 + ["300"] * 5 + ["5,400"]
    assert legend[-1].startswith("其他 18 个")
    shown = [int(text.rpartition("：")[2].replace(",", "")) for text in page.texts("svg title")]
    assert sum(shown) == 9_600
    assert len(page.texts("tbody tr")) >= 87
    links = [each for each in page.all("svg.bars a") if each.cssselect(".s0")]
    entries = much.get(links[5].get("href"))
    assert len(entries.texts("tbody tr")) == shown_of(links[5])


def shown_of(link: Any) -> int:
    return int(link.text_content().rpartition("：")[2])
