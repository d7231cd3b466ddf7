"""How long Tokens may be spent that were bought or redeemed: for so many days, or for ever."""

from xinghe.accounts import AccountError
from xinghe.ledger.windows import DAY

LONGEST_DAYS = 36_500


def check_days(value: int | None) -> int | None:
    """None for ever, or days from 1 to `LONGEST_DAYS`. Raises `AccountError`."""
    if value is not None and not 1 <= value <= LONGEST_DAYS:
        raise AccountError(f"valid_days: {value} is not allowed: 1 to {LONGEST_DAYS}")
    return value


def until(at: int, days: int | None) -> int | None:
    """When what is credited at a moment expires; None: never."""
    return None if days is None else at + days * DAY
