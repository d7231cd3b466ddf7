"""What the commands share: `--data`, the types of their arguments, and how they end.

Exit codes: 0 done, 1 what was asked failed, 2 the command line itself is wrong.
"""

from __future__ import annotations

import asyncio
import datetime
import getpass
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from xinghe import settings
from xinghe.accounts import AccountError, rules
from xinghe.core import MICRO
from xinghe.observe import logs
from xinghe.storage import Database, StorageError, now

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

_DAY = 86_400 * MICRO


def data_option(command: Command) -> Command:
    """`--data DIR`, the same on every command."""
    return click.option(
        "--data",
        metavar="DIR",
        help="The data directory (else $XINGHE_DATA, else the user's own).",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`, on whatever lists or shows."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")(
        command
    )


def run(data: str | None, action: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """Run an action on the database of a data directory, whether the service runs or not.

    Without `create`, a directory that holds no database is an error and stays as it is.
    """

    async def on_database(directory: Path) -> T:
        async with await Database.open(directory, create=create) as database:
            return await action(database)

    try:
        loaded = settings.load(data=data)
        logs.configure(loaded.log.level, loaded.log.format)
        return asyncio.run(on_database(loaded.data_dir))
    except (AccountError, StorageError, settings.SettingsError) as error:
        raise click.ClickException(str(error)) from error


def actor() -> str:
    """Who acts, for the audit table."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


class Checked(click.ParamType[str]):
    """Text that one of the checks of `accounts.rules` has passed."""

    def __init__(self, name: str, check: Callable[[str], object]) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            self._check(str(value))
        except AccountError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Amount(click.ParamType[int]):
    """Tokens with up to 6 decimals; the command is given micro-Tokens."""

    name = "tokens"

    def __init__(self, *, least: int = 1) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):  # click hands a default in as it is
            return value
        try:
            if not re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,6})?", value):
                raise InvalidOperation
            return rules.check_amount(int(Decimal(value) * MICRO), least=self._least)
        except (InvalidOperation, AccountError):
            self.fail(
                f"{value!r} is not an amount: {Decimal(self._least) / MICRO:f} to "
                f"{rules.MAX_BALANCE // MICRO} Tokens, with up to 6 decimals",
                param,
                ctx,
            )


class Expiry(click.ParamType[int]):
    """`2026-12-31` (to the end of that day, UTC) or `90d`; the command is given microseconds."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        at = now()
        try:
            if match := re.fullmatch(r"([0-9]{1,6})d", value):
                expires_at = at + int(match[1]) * _DAY
            else:
                day = datetime.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
                expires_at = int(day.timestamp()) * MICRO + _DAY
            rules.check_expiry(expires_at, at)
        except (ValueError, AccountError):
            self.fail(
                f"{value!r} is not a time in the future: YYYY-MM-DD (to the end of that day, UTC) "
                "or a number of days such as 90d",
                param,
                ctx,
            )
        return expires_at


ACCOUNT = Checked("name", rules.check_account_reference)
"""An existing account, by name or appid."""
