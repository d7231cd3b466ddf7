"""What a person types to make or change an access token, or a budget of one."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from xinghe import figures
from xinghe.admin.budgets import BudgetView
from xinghe.admin.tokens import TokenView
from xinghe.api.models import ModelList
from xinghe.api.query import in_zone
from xinghe.console.page import Page

MODELS = "/v1/models"
DAY = datetime.timedelta(days=1)
MOST = 2**53
"""Beyond it, not every whole number is one in JSON."""


class TokenForm(msgspec.Struct):
    """The fields as they stand; `models` count where not `all_models`; `day` is the last one on
    which it holds, where the browser is (empty: for ever). `choice` are the models to choose from.
    """

    name: str = ""
    scopes: list[str] = msgspec.field(default_factory=lambda: ["model.call", "account.read"])
    all_models: bool = True
    models: list[str] = []
    day: str = ""
    choice: list[str] = []

    @classmethod
    def typed(cls, page: Page) -> TokenForm:
        return cls(
            name=page.field("name"),
            scopes=_texts(page, "scopes"),
            all_models=page.field("which") != "some",
            models=_texts(page, "models"),
            day=page.field("day"),
        )

    @classmethod
    def of(cls, token: TokenView, zone: str) -> TokenForm:
        return cls(
            name=token.name,
            scopes=token.scopes,
            all_models=token.models is None,
            models=token.models or [],
            day=last_day(token.expires_at, zone),
        )

    async def choose(self, page: Page) -> TokenForm:
        """With what may be chosen: the models that are served, and those chosen before."""
        served = [each.id for each in (await page.api.get(MODELS, ModelList)).data]
        self.choice = served + [each for each in self.models if each not in served]
        return self

    def body(self, zone: str) -> dict[str, Any]:
        """As the API takes it. Without any model chosen, it says so: the API refuses that."""
        return {
            "name": self.name,
            "scopes": self.scopes,
            "models": None if self.all_models else self.models,
            "expires_at": end_of(self.day, zone),
        }


class BudgetForm(msgspec.Struct):
    """The fields as they stand; without an `amount`, no budget is wanted."""

    amount: str = ""
    unit: str = "tokens"
    per: str = "month"
    model: str = ""

    @classmethod
    def typed(cls, page: Page) -> BudgetForm:
        return cls(
            amount=page.field("amount"),
            unit=page.field("unit"),
            per=page.field("per"),
            model=page.field("model"),
        )

    def body(self, token: str, zone: str) -> dict[str, Any]:
        return {
            "token": token,
            "unit": self.unit,
            "amount": figure(self.amount),
            "per": self.per,
            "zone": zone,
            "model": self.model or None,
        }


def figure(text: str) -> float | str:
    """The number that was typed, thousands' marks and all; else the text, which the API refuses.

    So it is with one that JSON would not keep as it is.
    """
    number = figures.read(text)
    if number is None or number > MOST:
        return text
    if number == number.to_integral_value():
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else text


def end_of(day: str, zone: str) -> str | None:
    """The moment at which a day ends where the browser is; what is no day, as it was typed."""
    if not day:
        return None
    try:
        begins = datetime.datetime.fromisoformat(f"{day}T00:00:00") + DAY
    except (ValueError, OverflowError):
        return day
    return begins.replace(tzinfo=ZoneInfo(zone)).isoformat()


def last_day(moment: str | None, zone: str) -> str:
    """The day on which a moment is, where the browser is; of a day's end, that day."""
    if moment is None:
        return ""
    at = in_zone(datetime.datetime.fromisoformat(moment), ZoneInfo(zone))
    return (at - datetime.timedelta(seconds=1)).date().isoformat()


def until_when(moment: str | None, zone: str) -> str:
    """Until when it holds: a day that ends with it, or day and time; empty: for ever."""
    if moment is None:
        return ""
    at = in_zone(datetime.datetime.fromisoformat(moment), ZoneInfo(zone))
    ends = at.time() == datetime.time(0)
    return last_day(moment, zone) if ends else f"{at:%Y-%m-%d %H:%M}"


def is_own(budget: BudgetView, page: Page) -> bool:
    """Whether the person may change and end a budget of his token."""
    member = page.session.member
    return member.operator or budget.created_by == member.id


def _texts(page: Page, name: str) -> list[str]:
    """All that was sent as a field, each once."""
    sent = [each for each in page.form.getlist(name) if isinstance(each, str) and each]
    return list(dict.fromkeys(sent))
