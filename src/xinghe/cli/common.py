"""What the commands share: `--data`, the types of their arguments, how they end and print.

Exit codes: 0 done, 1 what was asked failed, 2 the command line itself is wrong.
"""

import asyncio
import datetime
import getpass
import re
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
import msgspec

from xinghe import columns, core, figures, settings, spreadsheet
from xinghe.accounts import AccountError, rules
from xinghe.core import LAST, MICRO
from xinghe.ledger import expiry
from xinghe.ledger.windows import DAY
from xinghe.observe import logs
from xinghe.storage import Connection, Database, LocalServer, StorageError, now, running

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

NONE: Literal["none"] = "none"
"""What a command is given for `none`: click takes Python's None for a missing argument."""

FORM = "xinghe.cli.form"
"""Where the context of a command keeps in which form it is to print, if one was asked for."""

COUNTS = "1000, 1,000 or 1e3"
PAGE = 1000
tokens = core.tokens
_JSON = msgspec.json.Encoder(decimal_format="number")


def data_option(command: Command) -> Command:
    """`--data DIR`, the same on every command."""
    return click.option(
        "--data", metavar="DIR", help="The data directory (else $XINGHE_DATA, else the user's own)."
    )(command)


def _one_form(context: click.Context, option: click.Parameter, wanted: bool) -> bool:
    if wanted and context.meta.setdefault(FORM, option.name) != option.name:
        raise click.UsageError("--json and --csv exclude each other")
    return wanted


def json_option(command: Command) -> Command:
    """`--json`, on whatever prints for people otherwise."""
    return click.option(
        "--json", "as_json", is_flag=True, callback=_one_form, help="Print JSON for a program."
    )(command)


def shown_options(command: Command) -> Command:
    """`--data`, `--json` and `--csv`, on whatever lists or shows."""
    csv = click.option(
        "--csv",
        is_flag=True,
        expose_value=False,  # `show` alone has to know, and asks the context
        callback=_one_form,
        help="Print CSV for a spreadsheet.",
    )
    return data_option(json_option(csv(command)))


def run(data: str | None, action: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """Run an action on the database of a data directory, whether the service runs or not.

    Without `create`, a directory that holds no database is an error and stays as it is.
    """

    async def on_database(loaded: settings.Settings) -> T:
        url = loaded.database.url
        async with await Database.open(loaded.data_dir, url, create=create) as database:
            return await action(database)

    return run_in(data, on_database)


def transact(
    data: str | None, operation: Callable[[Connection, settings.Settings], T], *, write: bool = True
) -> T:
    """Run an operation in one transaction, with the settings; or a read."""

    async def on_database(loaded: settings.Settings) -> T:
        async with await Database.open(
            loaded.data_dir, loaded.database.url, create=False
        ) as database:
            action = database.write if write else database.read
            return await expiry.swept(database, lambda: action(lambda c: operation(c, loaded)))

    return run_in(data, on_database)


def called() -> str:
    """What a person types to call this program again: seldom is an environment on his path."""
    here = Path(sys.argv[0])
    found = shutil.which("xinghe")
    if here.name != "xinghe" or (found and here.exists() and here.samefile(found)):
        return "xinghe"
    return shlex.quote(sys.argv[0])


def run_in(
    data: str | None,
    action: Callable[[settings.Settings], Coroutine[Any, Any, T]],
    options: Mapping[str, object] | None = None,
    *,
    quiet: bool = False,
) -> T:
    """Run an action with the settings; what it was asked and cannot do ends the command.

    `options` go before all other settings; a `quiet` one logs nothing.

    A local PostgreSQL runs meanwhile, if the data directory has one.
    """
    try:
        loaded = settings.load(data, options)
        logs.configure("silent" if quiet else loaded.log.level, loaded.log.format)
        server = local_server(loaded)
        with nullcontext() if server is None else running(server):
            return asyncio.run(_woken(action(loaded)))
    except (AccountError, StorageError, settings.SettingsError) as error:
        raise click.ClickException(str(error)) from error


async def _woken(action: Coroutine[Any, Any, T]) -> T:
    """Have Ctrl-C wake the loop also while a thread works for it.

    `asyncio.run` has a handler, which Python calls in this thread. But the signal may be given to
    another thread, or come just before this one sleeps: it would sleep until the work is done.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and handler not in (signal.default_int_handler, signal.SIG_IGN):
        # Sets the descriptor to which Python writes signals; the handler stays the one of before.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
        signal.signal(signal.SIGINT, handler)
    return await action


def local_server(loaded: settings.Settings, *, wanted: bool = False) -> LocalServer | None:
    """The PostgreSQL of the data directory, if it has one or is to have one."""
    server = LocalServer(loaded.data_dir)
    return server if not loaded.database.url and (wanted or server.exists) else None


async def everything(
    page: Callable[[int, int], Awaitable[list[T]]], key: Callable[[T], int]
) -> list[T]:
    """All that a listing gives page by page, each behind the last one's key."""
    found: list[T] = []
    while part := await page(key(found[-1]) if found else 0, PAGE):
        found += part
    return found


def actor() -> str:
    """Who acts, for the audit table."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


class Validated(click.ParamType[str]):
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


MEMBER = Validated("name", rules.check_member_reference)
"""An existing member, by name or appid."""


class Amount(click.ParamType[int]):
    """Tokens with up to 6 decimals; the command is given micro-Tokens."""

    name = "tokens"

    def __init__(self, *, least: int = 1) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):  # click hands a default in as it is
            return value
        try:
            return rules.read_amount(value, least=self._least, field=self.name)
        except AccountError as error:
            self.fail(str(error), param, ctx)


class WithAmount(click.Command):
    """A command whose argument is an amount: `-5` is a wrong one, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            for each in given:
                if each.startswith(error.option_name) and figures.read(each[1:]) is not None:
                    Amount().convert(each, None, ctx)  # which refuses it
            raise


class Count(click.IntRange):
    """A whole number, written as an amount may be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = figures.read(str(value))
        if number is None or number != number.to_integral_value():
            self.fail(f"{value!r} is not a whole number, such as {COUNTS}", param, ctx)
        return super().convert(int(number), param, ctx)


class Expiry(click.ParamType[int]):
    """`2026-12-31` (to the end of that day, UTC) or `90d`; the command is given microseconds."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        at = now()
        try:
            if match := re.fullmatch(r"([0-9]{1,6})d", value):
                expires_at = at + int(match[1]) * DAY
            else:
                day = datetime.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
                expires_at = min(int(day.timestamp()) * MICRO + DAY, LAST)
            rules.check_expiry(expires_at, at)
        except (ValueError, AccountError):
            self.fail(
                f"{value!r} is not a time in the future: YYYY-MM-DD (to the end of that day, UTC) "
                "or a number of days such as 90d",
                param,
                ctx,
            )
        return expires_at


def expires_option(command: Command) -> Command:
    """`--expires DATE`, of what is valid for a time."""
    return click.option(
        "--expires",
        type=Expiry(),
        metavar="DATE",
        help="Valid to the end of YYYY-MM-DD (UTC), or for days such as 90d; else for ever.",
    )(command)


def models_option(command: Command) -> Command:
    """`--model M`, of what may be allowed some models alone."""
    return click.option(
        "--model",
        "models",
        type=Validated("model", lambda value: rules.check_models([value])),
        multiple=True,
        metavar="M",
        help="A model that may be used; repeat for several; without, all.",
    )(command)


class AmountOrNone(Amount):
    """As `Amount`, or the word `none`."""

    name = "tokens|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value == NONE else super().convert(value, param, ctx)


def or_none(value: int | Literal["none"]) -> int | None:
    """The amount that a command was given, None for `none`."""
    return None if value == NONE else value


def moment(at: int | None, zone: datetime.tzinfo = datetime.UTC) -> str | None:
    """Microseconds since 1970 as ISO 8601 in a zone, to the second."""
    if at is None:
        return None
    text = datetime.datetime.fromtimestamp(at // MICRO, zone).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def show(value: Any, *, as_json: bool) -> None:
    """Print a list of mappings as a table, one mapping as lines, or either as JSON or CSV."""
    if as_json:
        click.echo(msgspec.json.format(_JSON.encode(value), indent=2))
    elif click.get_current_context().meta.get(FORM) == "csv":
        rows = [value] if isinstance(value, Mapping) else value
        for line in (
            spreadsheet.write(list(rows[0]), (row.values() for row in rows)) if rows else ()
        ):
            click.echo(line, nl=False)
    elif isinstance(value, Mapping):
        width = max(map(len, value))
        for key, cell in value.items():
            click.echo(f"{key:<{width}}  {_text(cell)}")
    elif value:
        _table(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    head = list(rows[0])
    lines = [head, *([_text(row[key]) for key in head] for row in rows)]
    widths = [max(columns.width(line[i]) for line in lines) for i in range(len(head))]
    # Figures stand under each other, flush right.
    right = [isinstance(rows[0][key], int | Decimal) for key in head]
    for line in lines:
        cells = []
        for cell, width, flush_right in zip(line, widths, right, strict=True):
            space = " " * (width - columns.width(cell))
            cells.append(space + cell if flush_right else cell + space)
        click.echo("  ".join(cells).rstrip())


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return (", ".join(cell) or "-") if isinstance(cell, list) else str(cell)
