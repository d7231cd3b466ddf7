"""The values that bodies and answers are made of, and the two forms of answers: one, or a list."""

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta

from xinghe.accounts.rules import MAX_BALANCE, SCOPES
from xinghe.api.errors import refuse
from xinghe.api.query import TIME, moment, zone_of
from xinghe.core import MICRO
from xinghe.storage import now

L = TypeVar("L", bound=msgspec.Struct)
T = TypeVar("T")

PAGE, LARGEST_PAGE = 50, 200
"""Objects of a list in one answer, if the query says nothing, and at most."""
MOST_MODELS = 500

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="Printable, without a space at either end; not beginning with `app-`.",
        extra={"allowed": "1 to 64 printable characters"},
    ),
]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="A member's id (`app-…`) or name.",
        extra={"allowed": "a member's id or name"},
    ),
]
Number = Annotated[int, Meta(ge=1, le=2**53 - 1)]
"""The id of a group, wallet, budget or invitation."""
Amount = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_BALANCE // MICRO,
        description="Tokens, with up to 6 decimals.",
        extra={"allowed": f"a number of Tokens in [0, {MAX_BALANCE // MICRO}], up to 6 decimals"},
    ),
]
Tokens = Annotated[Decimal, Meta(description="Tokens, with up to 6 decimals.")]
Told = Annotated[str, Meta(description="ISO 8601, UTC.")]
Scope = Literal["model.call", "account.read", "admin"]
assert get_args(Scope) == SCOPES
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=len(SCOPES))]
Models = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=128)]],
    Meta(min_length=1, max_length=MOST_MODELS, description="Ids of models; null allows all."),
]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="Printable.",
        extra={"allowed": "1 to 200 printable characters"},
    ),
]

Cursor = Annotated[
    str,
    Meta(
        pattern="^[0-9]{1,15}$",
        description="The `next` of the page before.",
        extra={"allowed": "the `next` of another page"},
    ),
]


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Of a request. A field that is left out of a change stays as it is."""


class Paging(msgspec.Struct, kw_only=True):
    """Which part of a list: `limit` objects behind `after`, which is the `next` of another."""

    limit: Annotated[int, Meta(ge=1, le=LARGEST_PAGE)] = PAGE
    after: Cursor = "0"

    @property
    def behind(self) -> int:
        return int(self.after)


class Listing(msgspec.Struct, kw_only=True):
    """A page of a list; `next` is the `after` of the next one, null at the end."""

    object: Literal["list"] = "list"
    has_more: bool = False
    next: str | None = None


class Deleted(msgspec.Struct):
    """What is there no more."""

    id: str
    deleted: Literal[True] = True


def page(
    shape: Callable[..., L], found: Sequence[T], limit: int, view: Callable[[T], object], key: str
) -> L:
    """The answer of up to `limit` + 1 rows that were found, in the order of their `key`."""
    rows, more = found[:limit], len(found) > limit
    after = str(getattr(rows[-1], key)) if more else None
    return shape(data=[view(each) for each in rows], has_more=more, next=after)


def micro(amount: float, field: str = "amount") -> int:
    """Micro-Tokens. Raises `ApiError`."""
    exact = Decimal(repr(amount)) * MICRO
    if exact != exact.to_integral_value():
        raise refuse(field, amount, "a number of Tokens with up to 6 decimals")
    return int(exact)


def positive(amount: int, field: str = "amount") -> int:
    """Raises `ApiError`."""
    if amount <= 0:
        raise refuse(field, amount, "more than 0 Tokens")
    return amount


def printable(reason: str, field: str = "reason") -> str:
    """Raises `ApiError`."""
    if not reason.isprintable():
        raise refuse(field, reason, "1 to 200 printable characters")
    return reason


def told(at: int) -> str:
    """Microseconds since 1970 as ISO 8601."""
    return datetime.datetime.fromtimestamp(at // MICRO, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def told_or_never(at: int | None) -> str | None:
    return None if at is None else told(at)


def future(value: str | None, field: str = "expires_at") -> int | None:
    """A time as microseconds since 1970, of a day its end. Raises `ApiError` for what is past."""
    at = None if value is None else moment(field, value, zone_of("UTC"), end=True)
    if at is not None and at <= now():
        raise refuse(field, value, f"{TIME}, in the future")
    return at


def given(value: Any, otherwise: Any) -> Any:
    """What a change says of a field, or what it is."""
    return otherwise if value is UNSET else value
