"""Templates in two languages: both stand beside each other, as `{{ t("令牌", "Token") }}`."""

from __future__ import annotations

import contextlib
import datetime
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from xinghe.api.query import in_zone
from xinghe.console.assets import Assets
from xinghe.console.browser import Browser
from xinghe.console.menu import MENU

NONE = "–"
"""Where a value is not known, or there is none."""


COMPILED = Path(__file__).parent / "__pycache__"


class Compiled(FileSystemBytecodeCache):
    """Compiled templates, kept beside the modules of this package where Python keeps those.

    To compile one takes time, and leaves memory behind that stays.
    """

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):
                super().dump_bytecode(bucket)


class Rendering:
    """The templates; one that was never compiled is when it is first asked for."""

    def __init__(self, assets: Assets, compiled: Path = COMPILED) -> None:
        self._environment = Environment(
            loader=PackageLoader("xinghe.console", "."),
            autoescape=True,
            undefined=StrictUndefined,
            bytecode_cache=Compiled(str(compiled)),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"asset": assets.url, "menu": MENU}
        self._environment.filters |= {
            "number": number,
            "amount": amount,
            "seconds": seconds,
            "percent": percent,
            "moment": moment,
        }

    def render(self, template: str, browser: Browser, /, **values: Any) -> str:
        def text(chinese: str, english: str) -> str:
            return english if browser.language == "en" else chinese

        return self._environment.get_template(template).render(
            t=text, language=browser.language, browser=browser, **values
        )


def number(value: int | float | Decimal | None) -> str:
    """With marks between the thousands: `1,234,567`."""
    return NONE if value is None else f"{value:,}"


def amount(value: Decimal | float | None) -> str:
    """Tokens with all that counts of their decimals: `1,234.5`."""
    if value is None:
        return NONE
    text = f"{Decimal(value):,.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def seconds(milliseconds: float | None) -> str:
    """`85 ms`, `1.24 s`, `75 s`."""
    if milliseconds is None:
        return NONE
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    digits = 2 if milliseconds < 10_000 else 1 if milliseconds < 60_000 else 0
    return f"{milliseconds / 1000:,.{digits}f} s"


def percent(value: float | None) -> str:
    """Of a share of one: `0.5 %`; a small one is never told as none."""
    if value is None:
        return NONE
    if 0 < value < 0.001:
        return "< 0.1 %"
    return f"{value * 100:.1f}".removesuffix(".0") + " %"


def moment(value: str | int | None, zone: str = "UTC") -> str:
    """A time as people read it; `value` in ISO 8601, or in seconds since 1970.

    One of UTC is moved to the zone, any other stays as it stands.
    """
    if value is None:
        return NONE
    if isinstance(value, str) and value.endswith("Z"):
        value = in_zone(datetime.datetime.fromisoformat(value), ZoneInfo(zone)).isoformat()
    if isinstance(value, int):
        value = datetime.datetime.fromtimestamp(value, ZoneInfo(zone)).isoformat()
    return value[:19].replace("T", " ")
