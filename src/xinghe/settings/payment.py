"""The section `payment`: in which currency packages are sold, and who takes the money."""

import base64
import binascii
import re
import string
from typing import Annotated

import msgspec
from msgspec import Meta

from xinghe.settings.urls import is_web_url

MANUAL = "manual"
DECIMALS = {
    "CNY": 2, "HKD": 2, "MOP": 2, "TWD": 2, "USD": 2, "EUR": 2, "GBP": 2, "SGD": 2, "JPY": 0,
    "KRW": 0,
}  # fmt: skip
"""Of each currency (ISO 4217) that prices may be in."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""A provider's name: it stands in the path to which its events are sent."""
PLACEHOLDERS = ("order", "price", "currency")
KEY = "whsec_"
KEY_BYTES = range(24, 65)
MOST_KEYS = 4


class Provider(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who takes the money and reports it by webhooks, signed as Standard Webhooks are."""

    checkout_url: str = ""
    """Where the buyer pays; `{order}`, `{price}`, `{currency}` stand for those of the order.
    Empty: the buyer is told the `instructions`."""
    secret: str = ""
    secret_env: str = ""
    """What the events are signed with (`whsec_` and base64 of 24 to 64 bytes), or the variable
    that holds it. Several, with spaces between, while one takes the place of another."""

    def __repr__(self) -> str:
        """Without the secret: what is printed of settings is logged."""
        return f"Provider(checkout_url={self.checkout_url!r}, secret_env={self.secret_env!r})"


class Payment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How packages are paid for."""

    currency: str = "CNY"
    """Of new prices: ISO 4217."""
    provider: str = MANUAL
    """Who takes the money of new orders: `manual` (an operator confirms it), or one of
    `providers`."""
    instructions: Annotated[str, Meta(max_length=2000)] = ""
    """What a buyer is told who is sent to no URL: where to send the money, say."""
    order_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """How long an order waits for its payment."""
    providers: dict[str, Provider] = {}

    def __post_init__(self) -> None:
        if self.currency not in DECIMALS:
            raise ValueError(
                f"`currency` is {self.currency!r}, allowed: one of {', '.join(DECIMALS)}"
            )
        for name, provider in self.providers.items():
            _check(name, provider)
        if self.provider != MANUAL and self.provider not in self.providers:
            known = ", ".join([MANUAL, *self.providers])
            raise ValueError(f"`provider` is {self.provider!r}, allowed: one of {known}")


def signing_keys(text: str) -> list[str]:
    """The keys in a secret. Raises `ValueError`, which repeats nothing of it."""
    keys = text.split()
    if not keys:
        raise ValueError("is empty")
    if len(keys) > MOST_KEYS:
        raise ValueError(f"holds {len(keys)} keys, allowed: up to {MOST_KEYS}")
    for key in keys:
        if not key.startswith(KEY):
            raise ValueError(f"is wrong, allowed: {KEY} and base64")
        bare = key.removeprefix(KEY)
        try:
            size = len(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
        except (binascii.Error, ValueError):
            raise ValueError(f"is no base64 behind {KEY}") from None
        if size not in KEY_BYTES:
            least, most = KEY_BYTES[0], KEY_BYTES[-1]
            raise ValueError(f"has a key of {size} bytes, allowed: {least} to {most}")
    return keys


def _check(name: str, provider: Provider) -> None:
    """Raises `ValueError`, which repeats no secret: none stands in a name or a URL either."""
    if name == MANUAL or not NAME.fullmatch(name):
        raise ValueError(
            "`providers` has a name that is wrong, allowed: 1 to 32 of a-z, 0-9, _ and -, a letter "
            f"or digit first, and not {MANUAL}"
        )
    where = f"providers.{name}"
    if provider.checkout_url:
        _check_url(provider.checkout_url, f"`{where}.checkout_url`")
    if provider.secret_env and provider.secret:
        raise ValueError(f"`{where}` has both `secret` and `secret_env`, allowed: one of them")
    if not provider.secret_env:
        try:
            signing_keys(provider.secret)
        except ValueError as error:
            raise ValueError(f"`{where}.secret` {error}") from None


def _check_url(url: str, field: str) -> None:
    braces = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
    try:
        parts = list(string.Formatter().parse(url))
    except ValueError:
        raise ValueError(f"{field} has a brace without its other, allowed: {braces}") from None
    for _, placeholder, form, conversion in parts:
        if placeholder is not None and (placeholder not in PLACEHOLDERS or form or conversion):
            raise ValueError(f"{field} has a placeholder that is none, allowed: {braces}")
    if not is_web_url(url.format(**dict.fromkeys(PLACEHOLDERS, "1"))):
        raise ValueError(f"{field} is wrong, allowed: an http:// or https:// URL")
