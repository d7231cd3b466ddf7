"""`xinghe backup` and `xinghe restore`: all that the database holds, in one file."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from xinghe.cli.common import data_option, run
from xinghe.cli.ledger import show_findings
from xinghe.ledger import prove
from xinghe.settings import SettingsError, load
from xinghe.storage import Database, StorageError, restore, save, verify_backup
from xinghe.storage.backup_file import Summary
from xinghe.supervisor.child import ServeError
from xinghe.supervisor.whereabouts import lock_data

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@_FILE
@click.option("--check", is_flag=True, help="Read FILE to its end instead, and write nothing.")
@data_option
def backup(file: Path, data: str | None, *, check: bool) -> None:
    """Write all that the database holds to FILE, also while the service runs.

    Accounts, access tokens (not themselves: what proves them), the books, stored answers, notices
    of a low balance with the secrets of their webhooks, and the audit, all as of one moment. FILE
    gets its name once it has been read again; a former one stays until then. Keep it safe.

    Not in it: settings, models.toml, model files, the corpus of web search, images, and what the
    service keeps in its journal while the database is away.
    """

    if check:
        try:
            _say(verify_backup(file), f"{file} is whole ({_size(file)})")
        except StorageError as error:
            raise click.ClickException(str(error)) from error
        return

    async def action(database: Database) -> Summary:
        with closing(database.backend.session(read_only=True)) as session:
            return await _until_told(partial(save, session, file))

    _say(run(data, action), f"saved to {file} ({_size(file)})")


@click.command("restore")
@_FILE
@click.option("--replace", is_flag=True, help="Delete what the database holds now.")
@data_option
@click.pass_context
def restore_command(context: click.Context, file: Path, replace: bool, data: str | None) -> None:
    """Fill an empty database from FILE, and check the books; the service must not run.

    It is all of FILE or nothing: one that is cut off, changed, or of another version of the tables
    is refused. A backup of SQLite can be restored into PostgreSQL, and the other way round.
    """

    async def action(database: Database) -> Summary:
        with closing(database.backend.session(patient=True)) as session:
            return await _until_told(partial(restore, session, file, replace=replace))

    try:
        verify_backup(file)
        directory = load(data).data_dir
        lock = lock_data(directory)
    except ServeError as error:
        raise click.ClickException(f"a service uses {directory}: stop it first") from error
    except (StorageError, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    try:
        _say(run(data, action, create=True), f"restored from {file}")
        findings = run(data, prove)
    finally:
        os.close(lock)
    show_findings(context, findings)


def _say(summary: Summary, what: str) -> None:
    counts = [
        f"{table.replace('_', ' ')} {count:,}" for table, count in summary.rows.items() if count
    ]
    click.echo(f"{what}: {', '.join(counts) or 'nothing was in it'}")


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


async def _until_told(task: Callable[[Callable[[str, int], None]], Summary]) -> Summary:
    """Do it in a thread, which ends when this command is interrupted."""
    progress = Progress()
    running = asyncio.ensure_future(asyncio.to_thread(task, progress))
    try:
        return await asyncio.shield(running)
    finally:
        progress.end()
        await asyncio.gather(running, return_exceptions=True)


class Progress:
    """A line on a terminal, renewed each second."""

    def __init__(self) -> None:
        self._ended = False
        self._shown = time.monotonic()

    def __call__(self, table: str, rows: int) -> None:
        if self._ended:
            raise StorageError("interrupted")
        if sys.stderr.isatty() and time.monotonic() - self._shown >= 1:
            self._shown = time.monotonic()
            click.echo(f"\r{table}: {rows:,} rows\x1b[K", nl=False, err=True)

    def end(self) -> None:
        self._ended = True
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
