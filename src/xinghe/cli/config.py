"""`xinghe config`: the applied versions of models, deployments, prices, limits, safety lists."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import msgspec

from xinghe.catalog import CatalogError, Tree
from xinghe.cli.changing import changing
from xinghe.cli.common import actor, data_option, json_option, moment, run_in, show, shown_options
from xinghe.cli.service import follows, running
from xinghe.configuration import (
    ConfigurationError,
    Configurations,
    Field,
    Outcome,
    Version,
    compared,
    lists_of,
    redacted,
    summary,
)
from xinghe.configuration.files import LISTS, MODELS
from xinghe.configuration.toml import as_toml
from xinghe.configuration.tree import MAX_BYTES
from xinghe.settings import Settings
from xinghe.settings.toml import parsed
from xinghe.storage import Database

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

NUMBER = click.IntRange(1)
MOST_OF_TOML, MOST_OF_JSON = 4 * MAX_BYTES, 20 * MAX_BYTES
"""Characters of a file: TOML takes long to read."""


class Made(NamedTuple):
    """What a change has come to, and what a service here has made of it."""

    outcome: Outcome
    service: str | None


def on_configurations(data: str | None, action: Callable[[Configurations], Awaitable[T]]) -> T:
    """Run what changes nothing, whether the service runs or not."""

    async def on_database(settings: Settings) -> T:
        url = settings.database.url
        async with await Database.open(settings.data_dir, url, create=False) as database:
            return await action(Configurations(database, settings))

    try:
        return run_in(data, on_database)
    except (ConfigurationError, CatalogError) as error:
        raise click.ClickException(str(error)) from error


def change(
    data: str | None, make: Callable[[Configurations], Awaitable[Outcome]], *, dry_run: bool
) -> Made:
    """Run a change; a service that runs here is waited for."""

    async def action(settings: Settings, configurations: Configurations) -> Made:
        outcome = await make(configurations)
        if dry_run or not outcome.changed:
            return Made(outcome, None)
        return Made(outcome, await follows(settings, configurations, outcome.version.number))

    return changing(data, action)


@click.group()
def config() -> None:
    """The applied configuration: models, deployments, prices, limits, safety lists.

    The database holds it, in versions. A running service follows within half a second, without a
    restart; models.toml and safety/*.txt are imported when they are edited.
    """


@config.command("show")
@click.option("--version", "number", type=NUMBER, metavar="N", help="An old one.")
@data_option
@json_option
def show_config(number: int | None, data: str | None, as_json: bool) -> None:
    """Print what is applied, as a models.toml; with --json whole, with the safety lists.

    Marks such as <secret deployments.big.key> stand for keys and passwords: given to `apply`, they
    leave these as they are.
    """

    found = on_configurations(data, lambda each: each.version(number))
    if as_json:
        show({**_described(found), "tree": redacted(found.tree)}, as_json=True)
        return
    click.echo(f"# {_line(found)}")
    for name, text in lists_of(found.tree).items():
        click.echo(f"# {LISTS}/{name}: {len(text.splitlines())} lines")
    click.echo(as_toml(redacted(found.models)), nl=False)


@config.command()
@data_option
@json_option
def status(data: str | None, as_json: bool) -> None:
    """Tell which version is applied, whether the files agree, and how each gateway follows.

    The exit status is 1 where a file is not imported, or a gateway could not apply a version.
    """

    async def find(configurations: Configurations) -> dict[str, Any]:
        made = await configurations.examined()
        here = running(configurations.settings) is not None
        return {
            **_described(made.version),
            "waiting": bool(list(compared(made.version.tree, made.tree))),
            "files": made.troubles,
            "gateways": [
                {
                    "place": each.place,
                    "at": moment(each.at) if each.at else None,
                    "version": each.version,
                    "trouble": each.trouble.splitlines(),
                }
                for each in await configurations.places()
                # What one has told that runs no more is of no interest.
                if here or each.place != configurations.place
            ],
        }

    found = on_configurations(data, find)
    if as_json:
        show(found, as_json=True)
    else:
        _print_status(found)
    if found["files"] or any(each["trouble"] for each in found["gateways"]):
        sys.exit(1)


@config.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@shown_options
def versions(limit: int, data: str | None, as_json: bool) -> None:
    """List the versions, the newest first: when, by whom, and how many fields changed."""
    found = on_configurations(data, lambda each: each.page(limit=limit))
    rows = [_described(each) for each in found]
    if not as_json:
        for row in rows:
            row["changes"] = ", ".join(each["field"] for each in row["changes"][:3])
    show(rows, as_json=as_json)


@config.command()
@click.argument("old", type=NUMBER, required=False)
@click.argument("new", type=NUMBER, required=False)
@data_option
@json_option
def diff(old: int | None, new: int | None, data: str | None, as_json: bool) -> None:
    """Print what differs between the versions OLD and NEW, field by field.

    Without NEW, between OLD and what is applied; without both, what the last change has changed.
    """

    async def find(configurations: Configurations) -> list[Field]:
        after = await configurations.version(new)
        first = after.number - 1 if old is None else old
        before = await configurations.version(max(first, 0))
        return compared(before.tree, after.tree)

    found = on_configurations(data, find)
    if as_json:
        show([_field(each) for each in found], as_json=True)
    for line in () if as_json else summary(found):
        click.echo(line)


def change_options(command: Command) -> Command:
    """What every change takes."""
    for option in (
        click.option("--note", default="", help="Why: kept with the version."),
        click.option("--dry-run", is_flag=True, help="Only tell what would change."),
        click.option(
            "--expect", type=click.IntRange(0), metavar="N", help="Only if N is applied now."
        ),
        data_option,
        json_option,
    ):
        command = option(command)
    return command


@config.command("apply")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@change_options
def apply_file(
    *, file: Path, note: str, dry_run: bool, expect: int | None, data: str | None, as_json: bool
) -> None:
    """Apply FILE (as models.toml, or JSON if it is named so; - is standard input), whole.

    What is not in it is taken out; but the safety lists stay where it has no `safety`.
    """
    tree = _read(file)
    made = change(
        data,
        lambda each: each.apply(
            tree, actor(), source="command", note=note, expected=expect, validate_only=dry_run
        ),
        dry_run=dry_run,
    )
    _print_made(made, dry_run=dry_run, as_json=as_json)


@config.command()
@click.argument("number", type=NUMBER, metavar="N")
@change_options
def revert(
    *, number: int, note: str, dry_run: bool, expect: int | None, data: str | None, as_json: bool
) -> None:
    """Apply version N again, as a new version."""
    made = change(
        data,
        lambda each: each.revert(
            number, actor(), source="command", note=note, expected=expect, validate_only=dry_run
        ),
        dry_run=dry_run,
    )
    _print_made(made, dry_run=dry_run, as_json=as_json)


def _read(file: Path) -> Tree:
    """Raises `ClickException`."""
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with stream:
            text = stream.read(MOST_OF_JSON + 1).decode()
        is_json = file.suffix == ".json" or (str(file) == "-" and text.lstrip().startswith("{"))
        most = MOST_OF_JSON if is_json else MOST_OF_TOML
        if len(text) > most:
            raise ValueError(f"it has more than {most} characters, allowed: 0 to {most}")
        tree: Tree = json.loads(text) if is_json else parsed(text)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(f"{file}: {why}") from error
    except RecursionError as error:
        raise click.ClickException(f"{file}: it is nested too deeply") from error
    return tree


def _print_made(made: Made, *, dry_run: bool, as_json: bool) -> None:
    outcome = made.outcome
    version = outcome.version
    if as_json:
        told = {
            **_described(version),
            "changed": outcome.changed,
            "changes": [_field(each) for each in outcome.changes],
            "dry_run": dry_run,
            "service": made.service,
        }
        show(told, as_json=True)
        return
    for line in summary(outcome.changes):
        click.echo(line)
    if outcome.changed > len(outcome.changes):
        click.echo(f"… and {outcome.changed - len(outcome.changes)} more")
    if dry_run:
        click.echo(f"version {version.number} is applied; this was a dry run")
    elif outcome.changed:
        click.echo(f"version {version.number} is applied; {made.service}")
    else:
        click.echo(f"nothing changed: version {version.number} is applied")


def _print_status(found: dict[str, Any]) -> None:
    by = f", by {found['author']} at {found['at']}" if found["version"] else ": nothing was applied"
    click.echo(f"version {found['version']}{by}")
    for name, why in found["files"].items():
        click.echo(f"{name} is not imported: {why}")
    if found["waiting"]:
        click.echo(f"{MODELS} or {LISTS}/ was edited: a running service imports it in a moment")
    for each in found["gateways"]:
        where = each["place"] or "the service here"
        click.echo(f"{where}: version {each['version']}, told at {each['at']}")
        for why in each["trouble"]:
            click.echo(f"  {why}")


def _line(version: Version) -> str:
    if not version.number:
        return "no version is applied: what is built in serves"
    note = f" ({version.note})" if version.note else ""
    return f"version {version.number}, by {version.author} at {moment(version.at)}{note}"


def _described(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "at": moment(version.at) if version.number else None,
        "author": version.author,
        "source": version.source,
        "note": version.note,
        "changed": version.changed,
        "changes": [_field(each) for each in version.changes],
    }


def _field(found: Field) -> dict[str, Any]:
    sides = (("before", found.before), ("after", found.after))
    return {"field": found.path} | {name: at for name, at in sides if at is not msgspec.UNSET}
