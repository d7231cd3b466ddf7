"""What an operator types to offer a package or to make a batch of codes."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.admin.packages import PackageView
from xinghe.api.models import ModelList
from xinghe.console.page import Page
from xinghe.console.tokens.form import MODELS, end_of, figure


class Terms(msgspec.Struct, kw_only=True):
    """What both have in common, as it was typed."""

    name: str = ""
    tokens: str = ""
    valid_days: str = ""
    all_models: bool = True
    models: list[str] = []
    choice: list[str] = []

    async def choose(self, page: Page) -> None:
        """Offer the models that are served, and those chosen before."""
        served = [each.id for each in (await page.api.get(MODELS, ModelList)).data]
        self.choice = served + [each for each in self.models if each not in served]

    def body(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "valid_days": figure(self.valid_days) if self.valid_days else None,
            "models": None if self.all_models else self.models,
        }


class PackageForm(Terms, kw_only=True):
    """A package; `groups` are the ids of those that may buy it, none: everybody."""

    description: str = ""
    price: str = ""
    currency: str = ""
    groups: list[str] = []

    @classmethod
    def typed(cls, page: Page) -> PackageForm:
        return cls(
            **_common(page),
            description=page.field("description"),
            price=page.field("price"),
            currency=page.field("currency"),
            groups=_texts(page, "groups"),
        )

    @classmethod
    def of(cls, package: PackageView) -> PackageForm:
        return cls(
            name=package.name,
            tokens=f"{package.tokens:f}",
            valid_days=str(package.valid_days or ""),
            all_models=package.models is None,
            models=list(package.models or ()),
            description=package.description,
            price=str(package.price),
            currency=package.currency,
            groups=[str(each) for each in package.groups],
        )

    def body(self) -> dict[str, Any]:
        return super().body() | {
            "description": self.description,
            "tokens": figure(self.tokens),
            "price": figure(self.price),
            "groups": [figure(each) for each in self.groups],
            **({"currency": self.currency} if self.currency else {}),
        }


class BatchForm(Terms, kw_only=True):
    """A batch of codes; `day` is the last one on which they can be redeemed."""

    count: str = ""
    day: str = ""

    @classmethod
    def typed(cls, page: Page) -> BatchForm:
        return cls(**_common(page), count=page.field("count"), day=page.field("day"))

    def body_in(self, zone: str) -> dict[str, Any]:
        return super().body() | {
            "amount": figure(self.tokens),
            "count": figure(self.count),
            "expires_at": end_of(self.day, zone),
        }


def _common(page: Page) -> dict[str, Any]:
    return {
        "name": page.field("name"),
        "tokens": page.field("tokens"),
        "valid_days": page.field("valid_days"),
        "all_models": page.field("which") != "some",
        "models": _texts(page, "models"),
    }


def _texts(page: Page, name: str) -> list[str]:
    return [each for each in page.form.getlist(name) if isinstance(each, str)]
