"""Packages: what Tokens are sold for, who may buy them, and what they pay for."""

from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.accounts.rights import Relation
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Amount,
    Body,
    Listing,
    Models,
    Name,
    Number,
    Paging,
    Tokens,
    Told,
    given,
    micro,
    page,
    positive,
    told,
    told_or_never,
)
from xinghe.api.errors import ApiError, Errors
from xinghe.core import tokens
from xinghe.sales import money, packages
from xinghe.sales.money import MAX_PRICE
from xinghe.sales.packages import MOST_GROUPS, Offer, Package
from xinghe.sales.validity import LONGEST_DAYS
from xinghe.settings.payment import DECIMALS

Price = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_PRICE,
        description="In units of the currency, with its decimals: 9.90.",
        extra={"allowed": "a number in the units of the currency, with its decimals"},
    ),
]
Currency = Literal["CNY", "HKD", "MOP", "TWD", "USD", "EUR", "GBP", "SGD", "JPY", "KRW"]
assert get_args(Currency) == tuple(DECIMALS)
Days = Annotated[
    int, Meta(ge=1, le=LONGEST_DAYS, description="From the payment on; null: for ever.")
]
Description = Annotated[str, Meta(max_length=200, description="Printable.")]
Groups = Annotated[
    list[Number],
    Meta(
        max_length=MOST_GROUPS,
        description="Whose members may buy it for themselves, and whose managers for the group, an "
        "organisation's groups included; none: everybody.",
    ),
]


class PackageView(msgspec.Struct, kw_only=True):
    """Tokens for a price. They pay for its `models` alone, or for every one (null)."""

    id: int
    object: Literal["package"] = "package"
    name: str
    description: str
    tokens: Tokens
    price: Annotated[Decimal, Meta(description="In units of the currency, with its decimals.")]
    currency: str
    valid_days: int | None
    models: tuple[str, ...] | None
    groups: tuple[int, ...]
    created_at: Told
    withdrawn_at: Told | None


class PackageList(Listing):
    data: list[PackageView]


class PackageQuery(Paging):
    """Those that the caller may buy, for himself or for a group that he manages; operators see
    all, with `withdrawn` those as well that nobody can buy any more.
    """

    withdrawn: bool = False


class NewPackage(Body, kw_only=True):
    """Without `currency`, in that of the settings."""

    name: Name
    description: Description = ""
    tokens: Amount
    price: Price
    currency: Currency | None = None
    valid_days: Days | None = None
    models: Models | None = None
    groups: Groups = msgspec.field(default_factory=list)


class PackageChange(Body):
    """What was ordered before stays as it was ordered."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    tokens: Amount | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    valid_days: Days | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    groups: Groups | UnsetType = UNSET


async def list_(call: Call[PackageQuery]) -> PackageList:
    asked, caller = call.given, call.exchange.principal
    if asked.withdrawn and not caller.operator:
        raise ApiError(
            Errors.NOT_PERMITTED,
            f"withdrawn may not be set by {Relation.BUYER}",
            param="withdrawn",
        )
    found = await call.services.database.read(
        lambda c: packages.packages(
            c,
            withdrawn=asked.withdrawn,
            buyer=None if caller.operator else caller.member_id,
            behind=asked.behind,
            limit=asked.limit + 1,
        )
    )
    return page(PackageList, found, asked.limit, view, "id")


async def create(call: Call[NewPackage]) -> PackageView:
    body = call.given
    currency = body.currency or call.services.payment.currency
    offer = Offer(
        name=body.name,
        description=body.description,
        amount=_amount(body.tokens),
        price=_minor(body.price, currency),
        currency=currency,
        valid_days=body.valid_days,
        models=_models(body.models),
        groups=tuple(body.groups),
    )
    return view(
        await call.transaction(keep=view).write(lambda c: packages.create(c, call.actor, offer))
    )


async def get(call: Call[None]) -> PackageView:
    number = call.target.id
    found = await call.tagged(packages.subject(number), lambda c: packages.package(c, number))
    return view(found)


async def change(call: Call[PackageChange]) -> PackageView:
    number = call.target.id
    transaction = call.transaction(packages.subject(number))
    return view(
        await transaction.write(
            lambda c: packages.change(
                c, call.actor, number, lambda before: _changed(before, call.given)
            )
        )
    )


async def withdraw(call: Call[None]) -> PackageView:
    number = call.target.id
    transaction = call.transaction(packages.subject(number))
    return view(await transaction.write(lambda c: packages.withdraw(c, call.actor, number)))


def view(found: Package) -> PackageView:
    return PackageView(
        id=found.id,
        name=found.name,
        description=found.description,
        tokens=tokens(found.amount),
        price=money.shown(found.price, found.currency),
        currency=found.currency,
        valid_days=found.valid_days,
        models=found.models,
        groups=found.groups,
        created_at=told(found.created_at),
        withdrawn_at=told_or_never(found.withdrawn_at),
    )


def _changed(before: Package, body: PackageChange) -> Offer:
    """A price that is not named stays the number that it is, in another currency too."""
    currency = given(body.currency, before.currency)
    price: Any = money.shown(before.price, before.currency)
    if body.price is not UNSET:
        price = Decimal(repr(body.price))
    return Offer(
        name=given(body.name, before.name),
        description=given(body.description, before.description),
        amount=before.amount if body.tokens is UNSET else _amount(body.tokens),
        price=money.minor(price, currency),
        currency=currency,
        valid_days=given(body.valid_days, before.valid_days),
        models=before.models if body.models is UNSET else _models(body.models),
        groups=before.groups if body.groups is UNSET else tuple(body.groups),
    )


def _amount(given: float) -> int:
    return positive(micro(given, "tokens"), "tokens")


def _minor(price: float, currency: str) -> int:
    return money.minor(Decimal(repr(price)), currency)


def _models(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
