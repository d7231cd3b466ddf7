"""Prices: whole minor units of a currency, and the numbers that people write for them."""

from decimal import Decimal, InvalidOperation

from xinghe import figures
from xinghe.accounts import AccountError
from xinghe.settings.payment import DECIMALS

MAX_PRICE = 10**12
"""Minor units."""


def check_currency(currency: str) -> str:
    """Raises `AccountError`."""
    if currency not in DECIMALS:
        raise AccountError(
            f"currency: {currency[:16]!r} is not allowed: one of {', '.join(DECIMALS)}"
        )
    return currency


def minor(price: str | Decimal, currency: str) -> int:
    """The minor units of a price in a currency. Raises `AccountError`."""
    decimals = DECIMALS[check_currency(currency)]
    number = figures.read(price) if isinstance(price, str) else price
    try:
        exact = None if number is None else number.scaleb(decimals)
        if exact is not None and 0 <= exact <= MAX_PRICE and exact == exact.to_integral_value():
            return int(exact)
    except InvalidOperation:  # not a number, or far too large
        pass
    digits = f"with up to {decimals} decimals" if decimals else "without decimals"
    raise AccountError(
        f"price: {str(price)[:32]} is not allowed: 0 to {shown(MAX_PRICE, currency).to_integral()} "
        f"{currency}, {digits}, written as {figures.FORMS}"
    )


def shown(price: int, currency: str) -> Decimal:
    """A price in the units of its currency, with all its decimals: 9.90."""
    return Decimal(price).scaleb(-DECIMALS[currency])
