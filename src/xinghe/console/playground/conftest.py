"""One browser for the tests of a file, and a member who sits at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.kit.chromium import Person, chromium
from tests.kit.visitor import Visitor


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def person(browser: Browser, member: Visitor) -> Person:
    person = Person(browser, member.url)
    person.bring(member.cookies)
    return person
