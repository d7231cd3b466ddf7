"""The body of an event: what a provider, or the bridge to one, writes of a payment."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from xinghe.sales.payment.provider import FAILED, SUCCEEDED, Event, WrongEvent

LONGEST_TYPE = 100
MOST = 10**13
"""Of an amount, in units of the currency."""
_LEAST = Decimal("0.000001")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?")
_decode = msgspec.json.Decoder(float_hook=Decimal).decode  # exact: an amount is no float


def read(event_id: str, body: bytes) -> Event | None:
    """None for one of another type. Raises `WrongEvent`."""
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise WrongEvent("the body", "no JSON", "a JSON object") from None
    if not isinstance(told, dict):
        raise WrongEvent("the body", told, "a JSON object")
    kind = _text(told, "type", LONGEST_TYPE)
    if kind not in (SUCCEEDED, FAILED):
        return None
    data = told.get("data")
    if not isinstance(data, dict):
        raise WrongEvent("data", data, "an object")
    number = _text(data, "order", 64, "data.")
    if kind == FAILED:
        reference = _text(data, "reference", 200, "data.") if data.get("reference") else ""
        return Event(event_id, FAILED, number, reference)
    return Event(
        event_id,
        SUCCEEDED,
        number,
        _text(data, "reference", 200, "data."),
        _amount(data.get("amount")),
        _currency(data.get("currency")),
    )


def _text(table: Mapping[str, Any], name: str, most: int, within: str = "") -> str:
    value = table.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable():
        raise WrongEvent(within + name, value, f"a text of 1 to {most} printable characters")
    return value


def _amount(value: Any) -> Decimal:
    """A number, or the same as text."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if is_number and 0 <= value < MOST:
        exact = Decimal(value).quantize(_LEAST)
        if exact == value:
            return exact
    raise WrongEvent("data.amount", value, f"a number from 0 up to {MOST}, with up to 6 decimals")


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise WrongEvent("data.currency", value, "a currency as ISO 4217 writes it, such as CNY")
    return value
