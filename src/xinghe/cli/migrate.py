"""`xinghe migrate`: a live installation moves from SQLite to PostgreSQL."""

import http.client
import os
import socket
import time
from urllib.parse import urlsplit

import click

from xinghe.cli.backup import Progress
from xinghe.cli.common import data_option, json_option, local_server, moment, run, show, tokens
from xinghe.cli.ledger import show_findings
from xinghe.ledger import prove
from xinghe.moving.service import Service
from xinghe.observe import logs
from xinghe.settings import Settings, SettingsError, load
from xinghe.settings.sections import Database
from xinghe.storage import StorageError
from xinghe.storage.sqlite import FILE_NAME
from xinghe.supervisor.child import ServeError
from xinghe.supervisor.whereabouts import Whereabouts, find, lock_data

ANSWERS, LOOK = 5.0, 0.05
"""Seconds that a service has to see that it has to wait; between two looks."""
COMES_BACK = 60.0
"""Seconds that it has to be ready in PostgreSQL."""


@click.group()
def migrate() -> None:
    """Move the books from SQLite to PostgreSQL while the service runs; undo or confirm it.

    After `to-postgres` the service goes on in PostgreSQL by itself. The SQLite file stays as it
    was until `confirm`; until then `undo` is the way back.
    """


@migrate.command("to-postgres")
@click.argument("url")
@data_option
def to_postgres(url: str, data: str | None) -> None:
    """Copy all books to the empty PostgreSQL database of URL, and have the service go on there.

    It copies while the service runs. Then requests that write are refused for some seconds (503
    with Retry-After, or 500 at the documented mounts), what is under way ends and is charged, the
    rest is copied, and both are compared: the rows of each table, the sums of each wallet. Whenever
    it is interrupted, the service goes on in SQLite, and the same command goes on where it was.
    """
    # With psycopg, which no other command loads.
    from xinghe.moving.move import Move  # noqa: PLC0415

    loaded = _loaded(data)
    try:
        Database(url=url)
        if not url:
            raise ValueError("URL is empty")
    except ValueError as error:
        raise click.UsageError(str(error).replace("`url`", "URL")) from error
    if loaded.database.url:
        raise click.ClickException(
            "database.url is set, and the books in SQLite are not used: `xinghe migrate status`"
        )
    if local_server(loaded) is not None:
        raise click.ClickException(
            "the books are in the PostgreSQL of the data directory: `xinghe backup` and "
            "`xinghe restore` take them elsewhere"
        )
    progress = Progress()
    place = f"{socket.gethostname()}:{loaded.data_dir}"
    move = Move(loaded.data_dir, url, click.echo, progress)
    try:
        outcome = move.run(lambda: _service(loaded), place)
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    finally:
        progress.end()
    proof = outcome.proof
    click.echo(
        f"moved to {outcome.name}: {proof.tables} tables, {proof.rows:,} rows; {proof.wallets:,} "
        f"wallets with {tokens(proof.balance)} Tokens; the same in both"
    )
    click.echo(f"nothing could be written for {outcome.waited:.1f} s")
    if outcome.nuls:
        click.echo(
            f"in {outcome.nuls} rows U+FFFD stands for the NUL that PostgreSQL does not take"
        )
    click.echo(
        "service and commands find the books there by themselves. To keep it so, set `url` in "
        f"[database] of {loaded.data_dir / 'xinghe.toml'} to that URL (or XINGHE_DATABASE__URL), "
        "then `xinghe migrate confirm`; until then `xinghe migrate undo` is the way back"
    )


@migrate.command("status")
@json_option
@data_option
def status_command(data: str | None, *, as_json: bool) -> None:
    """Say where the books are, and what was written in PostgreSQL since they moved."""
    from xinghe.moving.back import status  # noqa: PLC0415

    loaded = _loaded(data)
    if not (loaded.data_dir / FILE_NAME).exists() and loaded.database.url:
        show({"books": "PostgreSQL", "moved": None}, as_json=as_json)
        return
    try:
        found = status(loaded.data_dir)
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    if found.moved is None:
        show({"books": "SQLite", "moved": None}, as_json=as_json)
        return
    written = found.written if as_json else _counts(found.written)
    show(
        {
            "books": found.name or "PostgreSQL",
            "moved": moment(found.moved.at),
            "confirmed": "no",
            "url set": "yes" if loaded.database.url else "no",
            "written since": found.trouble or written,
        },
        as_json=as_json,
    )


@migrate.command("undo")
@click.option(
    "--discard", is_flag=True, help="Go back to the moment of the move: what came since is lost."
)
@data_option
@click.pass_context
def undo_command(context: click.Context, data: str | None, *, discard: bool) -> None:
    """Have the books be in the SQLite file again; the service must not run.

    What was written in PostgreSQL since is taken back as well, and the books are checked. Where
    PostgreSQL is away, nothing is done unless --discard says that all of that may be lost.
    """
    from xinghe.moving.back import undo  # noqa: PLC0415

    loaded = _loaded(data)
    if loaded.database.url:
        raise click.ClickException(
            "database.url is set, and by it the books would still be in PostgreSQL: take it out"
        )
    progress = Progress()
    try:
        lock = lock_data(loaded.data_dir)
    except ServeError as error:
        raise click.ClickException(f"a service uses {loaded.data_dir}: stop it first") from error
    try:
        written = undo(loaded.data_dir, progress, discard=discard)
        what = "lost" if discard else "taken back too"
        click.echo("the books are in SQLite again")
        if written:
            click.echo(f"written since the move, and {what}: {_counts(written)}")
        findings = run(data, prove)
    except StorageError as error:
        raise click.ClickException(
            f"{error}; nothing was changed (--discard goes back without what came since)"
        ) from error
    finally:
        progress.end()
        os.close(lock)
    show_findings(context, findings)


@migrate.command("confirm")
@data_option
def confirm_command(data: str | None) -> None:
    """Give the way back up: the SQLite file is put aside. `database.url` must be set before."""
    from xinghe.moving.back import confirm  # noqa: PLC0415

    loaded = _loaded(data)
    if not loaded.database.url:
        raise click.ClickException(
            "database.url is not set: without the SQLite file nothing else says where the books are"
        )
    try:
        aside = confirm(loaded.data_dir, loaded.database.url)
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"confirmed; the books as they were are in {aside}: delete it when you like")


def _loaded(data: str | None) -> Settings:
    try:
        loaded = load(data)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    logs.configure(loaded.log.level, loaded.log.format)
    return loaded


def _counts(written: dict[str, int]) -> str:
    """By table, how many rows more; 0 where rows were changed."""
    each = [f"{table.replace('_', ' ')} {rows:+,}" for table, rows in written.items()]
    return ", ".join(each) or "nothing"


def _service(loaded: Settings) -> Service | None:
    """What the move asks of the service, if one runs."""
    where = find(loaded.data_dir)
    if where is None:
        return None
    if not where.url:
        raise StorageError("the service is being started: try again when it is ready")
    comes = time.monotonic() + COMES_BACK
    while not _readyz(where)[0]:  # while it starts again it could not do so without writing
        if time.monotonic() > comes:
            raise StorageError(f"the service at {where.url} does not answer: see its log")
        time.sleep(LOOK)
    seen = time.monotonic() + ANSWERS

    def waits() -> bool:
        status, said = _readyz(where)
        if b'"moving":true' in said:
            return True
        if time.monotonic() > seen:
            why = "goes on taking requests: it is of an older version" if status else "is away"
            raise StorageError(f"the service at {where.url} {why}; restart it, then try again")
        return False

    def back() -> None:
        end = time.monotonic() + COMES_BACK
        while _readyz(where)[0] != 200 and time.monotonic() < end:
            time.sleep(LOOK)

    return Service(waits, back, loaded.server.grace)


def _readyz(where: Whereabouts) -> tuple[int, bytes]:
    parts = urlsplit(where.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWERS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
