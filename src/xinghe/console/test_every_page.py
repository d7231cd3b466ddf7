"""Every page in both languages, both themes, on a desk and on a phone: by keyboard, to axe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import pytest
from playwright.sync_api import Browser
from tests.kit.api import Api
from tests.kit.chromium import WIDTHS, Person, chromium
from tests.kit.classroom import Class, Desk
from tests.kit.pages import MEMBERS, OPERATORS
from tests.kit.server import Server
from tests.kit.sold import SALES, sell
from tests.kit.visitor import Visitor

from xinghe.console.menu import MENU

pytestmark = pytest.mark.slow

NOWHERE = "/console/nowhere"
PATHS = (
    "/",
    *(entry.path for entry in MENU),
    *MEMBERS,
    "/console/join?invitation=xi-1",
    NOWHERE,
)
EVERY = (*PATHS, *SALES)
MOST_STOPS = 400
"""Of the Tab key on one page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def sold(service: Server) -> dict[str, str]:
    return sell(service, "default")


@pytest.fixture(scope="module")
def room(desk: Desk) -> Class:
    made = desk.room("every 班")
    desk.member("名" * 64, made.id)
    desk.send("/budgets", member=made.ids["anna"], unit="tokens", amount=0, per="month")
    return made


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("used", [False, True])
def test_no_page_keeps_anybody_out(
    browser: Browser,
    member: Visitor,
    operator: Visitor,
    api: Api,
    sold: dict[str, str],
    language: str,
    theme: Literal["light", "dark"],
    width: int,
    used: bool,
) -> None:
    of_one = [f"/console/tokens/{str(api.token).split('-')[1]}"]
    if used:
        replies = [api.chat(model="ernie-3.5-8k") for _ in range(3)]
        assert {each.status for each in replies} == {200}
        of_one.append(f"/console/usage/requests/{replies[0].headers['x-request-id']}")
        assert api.chat(model="no-such-model").status == 404
    looks = [(operator if path in SALES else member, path.format(**sold)) for path in EVERY]
    looks += [(member, path) for path in of_one]
    assert barriers(browser, looks, language, theme, width) == {}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_no_page_of_a_group_keeps_anybody_out(
    browser: Browser,
    room: Class,
    desk: Desk,
    language: str,
    theme: Literal["light", "dark"],
    width: int,
) -> None:
    looks = [(room.people["teacher"], path) for path in of_group(room)]
    boss = desk.visitor(str(desk.api.token))
    looks += [(boss, path) for path in of_operators(room)]
    assert barriers(browser, looks, language, theme, width) == {}


def of_group(room: Class) -> tuple[str, ...]:
    person = f"/members/{room.ids['anna']}"
    pages = ("", "?name=nobody", "/invitations", "/report", person)
    return ("/console/group", *(room.path + each for each in pages))


def of_operators(room: Class) -> tuple[str, ...]:
    return (*OPERATORS, "/console/members?name=zzz", f"/console/members/{room.ids['anna']}")


def barriers(
    browser: Browser,
    looks: Sequence[tuple[Visitor, str]],
    language: str,
    theme: Literal["light", "dark"],
    width: int,
) -> dict[str, list[str]]:
    """What is wrong with each page."""
    viewport = {"width": width, "height": 900}
    url = looks[0][0].url
    person = Person(browser, url, locale=language, color_scheme=theme, viewport=viewport)
    found = {}
    for visitor, path in looks:
        if path != "/":
            person.bring(visitor.cookies)
        page = person.go(path)
        wrong = person.barriers()
        if person.is_wider_than_its_window():
            wrong.append("it is wider than its window")
        if page.locator("html").get_attribute("lang") != {"zh-CN": "zh-CN"}.get(language, "en"):
            wrong.append("it is in another language")
        if path != NOWHERE:  # a browser tells the status of that page as a fault
            wrong += person.faults
        found[path] = wrong
        person.faults.clear()
    return {path: wrong for path, wrong in found.items() if wrong}


@pytest.mark.parametrize("path", EVERY)
def test_all_that_can_be_pressed_is_reached_by_keyboard(
    browser: Browser, member: Visitor, operator: Visitor, sold: dict[str, str], path: str
) -> None:
    reached(browser, operator if path in SALES else member, path.format(**sold))


def test_all_of_a_group_is_reached_by_keyboard(browser: Browser, room: Class, desk: Desk) -> None:
    for path in of_group(room):
        reached(browser, room.people["teacher"], path)
    boss = desk.visitor(str(desk.api.token))
    for path in of_operators(room):
        reached(browser, boss, path)


def reached(browser: Browser, visitor: Visitor, path: str) -> None:
    person = Person(browser, visitor.url)
    if path != "/":
        person.bring(visitor.cookies)
    page = person.go(path)
    pressed = "a[href], button, input:not([type=hidden]), select, textarea, summary"
    wanted = page.locator(pressed).filter(visible=True).count()
    radios = page.locator("input[type=radio]").filter(visible=True).count()
    seen: set[str] = set()
    before = None
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            "() => { const e = document.activeElement; if (e === document.body) return '';"
            " e.dataset.stop ??= Math.random(); return e.dataset.stop + ' ' +"
            " (getComputedStyle(e).outlineStyle !== 'none' ||"
            "  getComputedStyle(e).boxShadow !== 'none') }"
        )
        name = stop.partition(" ")[0]
        if name and name == before:  # a date has several places within it
            continue
        if not stop or stop in seen:
            break
        seen.add(stop)
        before = name
    assert len(seen) >= wanted - radios
    unseen = [stop for stop in seen if stop.endswith("false")]
    assert unseen == [], "the focus cannot be seen"
