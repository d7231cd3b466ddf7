"""Which texts are numbers, and which."""

from __future__ import annotations

from decimal import Decimal

import pytest

from xinghe import figures
from xinghe.accounts import AccountError, rules
from xinghe.console.tokens.form import figure
from xinghe.sales import money


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1000", "1000"),
        ("1,000", "1000"),
        ("1_000", "1000"),
        ("1,234,567.000001", "1234567.000001"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("2.5e6", "2500000"),
        ("1e-6", "0.000001"),
        (".5", "0.5"),
        ("007", "7"),
        ("999999999999.999999", "999999999999.999999"),
        ("１，０００．５", "1000.5"),
        ("１ｅ３", "1000"),
        ("１＿０００", "1000"),
    ],
)
def test_read(text: str, number: str) -> None:
    assert figures.read(text) == Decimal(number)
    assert rules.read_amount(text) == Decimal(number) * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "", "1,00", "1,0000", "1,000_000", "0001,000", ",100", "1,", "1,,000", "1_00", "_1", "1__0",
        "1.000,5", "1.5.0", "1.", ".", "1e", "e3", "1e3.5", "1e100", "-1", "+1", " 1", "1 000",
        "0x10", "NaN", "inf", "½", "①", "一千", "٣", "1" * 29, "1\n",
    ],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    assert figures.read(text) is None
    assert figure(text) == text  # the API refuses it
    with pytest.raises(AccountError, match=r"is not an amount: .* 1e3 or 0\.5"):
        rules.read_amount(text)


@pytest.mark.parametrize("text", ["1e-9", "0.0000001", "1.0000005", "1e13", "1e99", "1e-99"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(AccountError, match="0 to 1000000000000 Tokens, with up to 6 decimals"):
        rules.read_amount(text)


def test_prices_are_written_alike() -> None:
    assert money.minor("1,000.5", "CNY") == money.minor("1.0005e3", "CNY") == 100_050
    for text in ("1,00", "1e-3", "NaN", "1e99"):
        with pytest.raises(AccountError, match=r"price: .* with up to 2 decimals, written as"):
            money.minor(text, "CNY")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,000", 1000),
        ("1e3", 1000),
        ("9.90", 9.9),
        ("0.000001", 0.000001),
        # JSON's numbers have not so many digits: rounded, they would be another amount.
        ("999999999999.999999", "999999999999.999999"),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_what_a_form_sends(text: str, number: float | str) -> None:
    sent = figure(text)
    assert (type(sent), sent) == (type(number), number)
