"""What a member, a token or a grant may be called, hold and allow.

Each check returns the value that it was given and raises `AccountError`.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from xinghe import figures
from xinghe.core import LAST, MICRO, tokens
from xinghe.ledger import PERIODS

SCOPES = ("model.call", "account.read", "admin")
DEFAULT_SCOPES = ("model.call", "account.read")
PUBLIC_ID = "^(?:[a-z0-9]{10}|playground[0-9]{1,18})$"
"""A token's public id; the second form is that of a member's playground."""
_SECRET = re.compile("(xh-[a-z0-9]{10}-)[A-Za-z0-9]+")
MAX_BALANCE = 10**12 * MICRO
"""Far beyond any use, and sums of it still fit the database's 64-bit integers."""


class AccountError(Exception):
    """What was asked of a member, group or token cannot be done; the message says why."""


def check_name(value: str, field: str = "name") -> str:
    """1 to 64 printable characters, no space at either end; `app-` is kept for appids."""
    check_member_reference(value, field)
    if value.startswith("app-"):
        raise AccountError(f"{field}: {_shown(value)} is not allowed: `app-` begins an appid")
    return value


def check_member_reference(value: str, field: str = "member") -> str:
    """What may name a member: as `check_name`, or an appid."""
    if not 1 <= len(value) <= 64 or not value.isprintable() or value.strip() != value:
        raise AccountError(
            f"{field}: {_shown(value)} is not allowed: 1 to 64 printable characters, "
            "without a space at either end"
        )
    return value


def check_note(value: str, field: str = "note", *, least: int = 0) -> str:
    """`least` to 200 printable characters."""
    if not least <= len(value) <= 200 or not (value.isprintable() or value == ""):
        range_ = f"{least} to 200" if least else "at most 200"
        raise AccountError(
            f"{field}: {_shown(value)} is not allowed: {range_} printable characters"
        )
    return value


def check_amount(value: int, *, least: int = 1, field: str = "amount") -> int:
    """Micro-Tokens from `least` to `MAX_BALANCE`."""
    if not least <= value <= MAX_BALANCE:
        raise AccountError(
            f"{field}: {tokens(value):f} Tokens is not allowed: {tokens(least):f} to "
            f"{tokens(MAX_BALANCE):f} Tokens"
        )
    return value


def read_amount(text: str, *, least: int = 0, field: str = "amount") -> int:
    """Micro-Tokens of a text that says Tokens, with up to 6 decimals."""
    number = figures.read(text)
    if number is not None:
        micro = number.scaleb(6)
        if least <= micro <= MAX_BALANCE and micro == micro.to_integral_value():
            return int(micro)
    raise AccountError(
        f"{field}: {_shown(text)} is not an amount: {tokens(least):f} to "
        f"{tokens(MAX_BALANCE):f} Tokens, with up to 6 decimals, written as {figures.FORMS}"
    )


def check_cap(amount: int | None, per: str) -> int | None:
    """None, or micro-Tokens from 0 to `MAX_BALANCE`; `per` one of `PERIODS`."""
    if per not in PERIODS:
        raise AccountError(f"cap_per: {_shown(per)} is not allowed: {', '.join(PERIODS)}")
    return None if amount is None else check_amount(amount, least=0, field="cap")


def check_zone(value: str) -> str:
    """The name of a time zone, such as `Asia/Shanghai`."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        raise AccountError(
            f"zone: {_shown(value)} is not allowed: a time zone such as Asia/Shanghai or UTC"
        ) from error
    return value


def check_webhook(value: str | None) -> str | None:
    """None, or an http(s) URL with a host, at most 2000 printable ASCII characters."""
    if value is None:
        return None
    try:
        url = urlsplit(value)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    plain = value.isascii() and value.isprintable() and " " not in value
    if not (usable and plain and len(value) <= 2000):
        raise AccountError(
            f"webhook: {_shown(value)} is not allowed: an http or https URL of at most 2000 "
            "ASCII characters"
        )
    return value


def check_expiry(value: int | None, now: int) -> int | None:
    """Microseconds UTC in the future and before the year 10000, or None for never."""
    if value is not None and not now < value <= LAST:
        raise AccountError(f"expires_at: {value} is not allowed: a time in the future")
    return value


def check_scopes(values: Iterable[str]) -> list[str]:
    """At least one of `SCOPES`; returned in their order."""
    wanted = set(values)
    if not wanted or not wanted <= set(SCOPES):
        raise AccountError(
            f"scopes: {sorted(wanted)} is not allowed: one or more of {', '.join(SCOPES)}"
        )
    return [scope for scope in SCOPES if scope in wanted]


def check_models(values: Iterable[str] | None) -> list[str] | None:
    """None, or at least one model id of 1 to 128 printable characters."""
    if values is None:
        return None
    models = sorted(set(values))
    if not models:
        raise AccountError("models: an empty list would allow no model: leave it out to allow all")
    for model in models:
        if not 1 <= len(model) <= 128 or not model.isprintable() or model.strip() != model:
            raise AccountError(
                f"models: {_shown(model)} is not allowed: 1 to 128 printable characters"
            )
    return models


def masked(text: str) -> str:
    """A text to be repeated, without the secret of an access token that may stand in it."""
    return _SECRET.sub(r"\1…", text)


def _shown(value: str) -> str:
    return repr(value) if len(value) <= 80 else f"{value[:80]!r}… ({len(value)} characters)"
