"""One request of a form of the playground, and what becomes of it."""

from __future__ import annotations

import hashlib
from typing import Any

from xinghe.api.account.schema import RequestShown
from xinghe.console import advice
from xinghe.console.calls import Refused, refusal
from xinghe.console.page import Page
from xinghe.console.playground.forms.form import MOUNT, Form
from xinghe.console.requests import request_of


class Run:
    """`typed` is what stood in the form, and `body` what it asks for.

    Once it is over, `answer` is the API's, or `refused` tells why there is none and `again` in how
    many seconds there may be one. `replayed`: the same form came before, and costs nothing again.
    `done` of `total` steps are known while it works, where whoever works tells.
    """

    def __init__(self, page: Page, form: Form) -> None:
        self._page = page
        self._form = form
        self.typed = form.typed(page)
        self.body: dict[str, Any] = form.body(self.typed)
        self.once = page.once(*form.names)
        self.answer = b""
        self.replayed = False
        self.refused: Refused | None = None
        self.again = ""
        self.request_id = ""
        self.request: RequestShown | None = None
        self.done = self.total = 0

    @property
    def id(self) -> str:
        """Names it among others on its page."""
        return f"run-{self._digest.hex()[:16]}"

    @property
    def number(self) -> int:
        """32 bits that nobody knows beforehand, but the same form has the same."""
        return int.from_bytes(self._digest[-4:])

    @property
    def advice(self) -> tuple[str, str]:
        """What to do about its refusal: in Chinese, and in English."""
        return advice.of(self.refused.code if self.refused else "")

    async def go(self) -> None:
        """Ask, and wait for the whole answer. To be cancelled is to leave."""
        api = self._page.api.playing(self._tell)
        headers = {"idempotency-key": self.once}
        async with api.open(
            "POST", MOUNT + self._form.path, body=self.body, headers=headers
        ) as answer:
            self.request_id = answer.header("x-request-id")
            data = await answer.read()
            if answer.status >= 400:
                self.refused = refusal(answer, data)
                self.again = answer.header("retry-after")
            else:
                self.answer = data
                self.replayed = bool(answer.header("idempotent-replayed"))
        self.request = await request_of(self._page, self.request_id)

    def _tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    @property
    def _digest(self) -> bytes:
        return hashlib.sha256(self.once.encode()).digest()
