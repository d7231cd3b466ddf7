"""What a person does at the playground's page in a browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Request, expect

from tests.kit.models import CHAT
from tests.kit.playing import RUN
from tests.kit.script import Script

WAIT = 20_000
"""Milliseconds."""


def ask(page: Page, script: Script | str, model: str = CHAT) -> None:
    page.get_by_role("combobox", name="模型", exact=True).select_option(model)
    question = script if isinstance(script, str) else script.prompt
    page.get_by_role("textbox", name="问题").fill(question)
    page.get_by_role("button", name="发送", exact=True).click()


def ended(page: Page) -> None:
    expect(page.get_by_role("button", name="停止")).to_be_hidden(timeout=WAIT)


def asked_bodies(page: Page) -> list[Any]:
    """The bodies of what the page asks from now on."""
    sent: list[Any] = []

    def note(asked: Request) -> None:
        if RUN in asked.url:
            sent.append(asked.post_data_json)

    page.on("request", note)
    return sent


def make_unable(page: Page, model: str) -> None:
    """Have the page believe that a model can do nothing, and choose it."""
    page.locator("#model").select_option(model)
    page.evaluate(
        """() => {
          const select = document.querySelector("#model");
          const about = { ranges: {}, ignored: ["thinking_budget"], able: [] };
          select.selectedOptions[0].dataset.about = JSON.stringify(about);
          select.dispatchEvent(new Event("change"));
        }"""
    )
