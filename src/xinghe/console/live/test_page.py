"""`/console/live`: what happens is seen as it happens, by operators alone."""

from __future__ import annotations

import re

from tests.kit.api import Api
from tests.kit.chromium import Person, chromium
from tests.kit.visitor import Visitor

MODEL = "ernie-3.5-8k"


def test_who_is_no_operator_sees_nothing(member: Visitor) -> None:
    assert member.get("/console/live").status == 403


def test_what_was_asked_is_seen(operator: Visitor, api: Api) -> None:
    good = api.chat(model=MODEL)
    bad = api.chat(model=MODEL, temperature=9)
    assert (good.status, bad.status) == (200, 400)
    page = operator.get("/console/live?hold=1")
    assert page.status == 200
    for reply in (good, bad):
        assert reply.headers["x-request-id"] in page.text
    assert page.all(f"a[href='/console/models/{MODEL}']")
    assert not page.all("[hx-get]"), "it is held"


def test_it_updates_by_itself_and_does_not_grow(operator: Visitor, api: Api) -> None:
    with chromium() as browser:
        person = Person(browser, operator.url)
        person.bring(operator.cookies)
        page = person.go("/console/live")
        for _ in range(3):
            known = api.chat(model=MODEL).headers["x-request-id"]
            page.get_by_text(known).wait_for(timeout=10_000)
        rows = page.locator("h2#recent + div tbody tr")
        for _ in range(60):
            known = api.chat(model="no-such-model").headers["x-request-id"]
        page.get_by_text(known).wait_for(timeout=10_000)
        assert rows.count() == 50
        assert person.faults == []
        figure = page.locator("article.card").last
        assert re.search(r"\d", figure.inner_text())
