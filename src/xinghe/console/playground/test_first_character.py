"""The first character in the playground, soon after it is there for a program."""

from __future__ import annotations

import json
import statistics
import time

import pytest
from playwright.sync_api import expect
from tests.kit.api import STRICT, Api
from tests.kit.chromium import Person
from tests.kit.models import CHAT
from tests.kit.pace import allowed
from tests.kit.playing import PAGE
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.sse import events
from tests.kit.talking import ended

pytestmark = pytest.mark.slow

SECONDS = 0.05
LOOKS = 15
"""At each, in turns; the medians count."""
SCRIPT = Script(pieces=["字"] * 20, rate=200)
SHOWN = """(text) => new Promise((done) => {
  const turns = document.querySelector("#turns");
  document.querySelector("#question").value = text;
  const looking = new MutationObserver(() => {
    if (!turns.querySelector(".answered .text")?.textContent) return;
    looking.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - since)));
  });
  looking.observe(turns, { subtree: true, childList: true, characterData: true });
  const since = performance.now();
  document.querySelector("#send").click();
})"""
"""Milliseconds from the click until the first character is drawn."""


def for_a_program(api: Api) -> float:
    """Seconds until the first character has come."""
    body = json.dumps({"model": CHAT, "messages": SCRIPT.messages, "stream": True}).encode()
    with Connection(api.url) as connection:
        since = time.perf_counter()
        connection.request("POST", f"{STRICT}/chat/completions", body, api.headers)
        status, headers = connection.head()
        assert status == 200
        for event in events(connection.pieces(headers)):
            (choice,) = json.loads(event)["choices"]
            if choice["delta"].get("content"):
                return time.perf_counter() - since
    raise AssertionError("it said nothing")


def test_it_is_shown_as_soon(person: Person, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    page = person.go(PAGE)
    page.locator("#model").select_option(CHAT)
    programs, shown = [], []
    for _ in range(LOOKS):
        page.locator("#new").click()
        expect(page.locator("#nothing")).to_be_visible()
        programs.append(for_a_program(api))
        shown.append(page.evaluate(SHOWN, SCRIPT.prompt) / 1000)
        ended(page)
    program, browser = statistics.median(programs), statistics.median(shown)
    with capsys.disabled():
        print(f"\nfirst character: API {program * 1000:.0f} ms, playground {browser * 1000:.0f} ms")
    assert browser - program < allowed(SECONDS)
