"""`xinghe code`: redeem codes, made in batches; told once, redeemed once each."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from xinghe import spreadsheet
from xinghe.accounts import rules
from xinghe.cli.common import (
    FORM,
    Amount,
    Count,
    Expiry,
    Validated,
    WithAmount,
    actor,
    everything,
    models_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.cli.wallets import named_wallet, of_wallet
from xinghe.sales import codes
from xinghe.sales.codes import MOST, Batch, NewBatch, Redeemed, Redemption
from xinghe.sales.validity import LONGEST_DAYS
from xinghe.storage import Connection, Database, now

BATCH = click.IntRange(min=1)


@click.group()
def code() -> None:
    """Redeem codes: whoever has one may redeem it once for Tokens. They are made in batches."""


@code.command(cls=WithAmount)
@click.argument("name", type=Validated("name", rules.check_name))
@click.argument("amount", type=Amount(), metavar="TOKENS")
@click.option("--count", type=Count(1, MOST), required=True, metavar="N", help="How many.")
@click.option(
    "--expires",
    type=Expiry(),
    required=True,
    metavar="DATE",
    help="May be redeemed to the end of YYYY-MM-DD (UTC), or for days such as 90d.",
)
@click.option(
    "--valid-days",
    type=click.IntRange(1, LONGEST_DAYS),
    metavar="N",
    help="Days that the Tokens are valid for once they are redeemed; else for ever.",
)
@models_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the codes into a new CSV file that its owner alone may read.",
)
@shown_options
def create(
    *,
    name: str,
    amount: int,
    count: int,
    expires: int,
    valid_days: int | None,
    models: tuple[str, ...],
    out: Path | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Make the batch NAME of codes for TOKENS each. They are printed this once.

    For example: xinghe code create 开学礼包 50000 --count 100 --expires 2027-12-31 --csv
    """
    new = NewBatch(
        name=name,
        amount=amount,
        count=count,
        expires_at=expires,
        valid_days=valid_days,
        models=models or None,
    )

    def make() -> tuple[Batch, list[str]]:
        return run(data, lambda db: codes.create(db, actor(), new), create=True)

    if out is not None:
        with _new(out) as file:
            made, secrets = make()
            rows = [each.values() for each in _codes(made, secrets)]
            text = "".join(spreadsheet.write(["number", "code", "tokens", "expires_at"], rows))
            file.write(text.encode("utf-8-sig"))  # else Excel takes it for GBK
        show(_view(made), as_json=as_json)
        return
    made, secrets = make()
    click.echo("keep the codes safe: they are not shown again", err=True)
    show(
        _view(made) | {"codes": secrets} if as_json else _codes(made, secrets),
        as_json=as_json,
    )


@code.command("list")
@shown_options
def list_batches(data: str | None, as_json: bool) -> None:
    """List the batches, the oldest first, with how many codes of each are redeemed."""
    found = run(
        data,
        lambda db: everything(
            lambda after, limit: db.read(lambda c: codes.batches(c, behind=after, limit=limit)),
            lambda last: last.id,
        ),
    )
    show([_view(each) for each in found], as_json=as_json)


@code.command("show")
@click.argument("batch", type=BATCH, metavar="ID")
@shown_options
def show_batch(batch: int, data: str | None, as_json: bool) -> None:
    """Show the batch ID, and which of its codes were redeemed. CSV has these alone."""

    async def action(database: Database) -> tuple[Batch, list[Redemption]]:
        found = await database.read(lambda c: codes.batch(c, batch))
        return found, await everything(
            lambda after, limit: database.read(
                lambda c: codes.redemptions(c, batch, behind=after, limit=limit)
            ),
            lambda last: last.number,
        )

    found, redeemed = run(data, action)
    rows = [_redemption(each) for each in redeemed]
    if as_json:
        show(_view(found) | {"redemptions": rows}, as_json=True)
        return
    if click.get_current_context().meta.get(FORM) != "csv":
        show(_view(found), as_json=False)
        click.echo()
    show(rows, as_json=False)


@code.command()
@click.argument("batch", type=BATCH, metavar="ID")
@shown_options
def revoke(batch: int, data: str | None, as_json: bool) -> None:
    """Have no more codes of the batch ID be redeemed. To do so again is no error."""
    after = run(data, lambda db: db.write(lambda c: codes.revoke(c, actor(), batch)))
    show(_view(after), as_json=as_json)


@code.command()
@click.argument("typed", metavar="[CODE]", required=False)
@of_wallet("", "Into")
@shown_options
def redeem(
    *, typed: str | None, member: str | None, group: str | None, data: str | None, as_json: bool
) -> None:
    """Redeem CODE into the wallet of a member or a group. Without CODE, it is asked for.

    What stands on a command line, other users of the machine may see.
    """
    secret = typed or click.prompt("Code", err=True)

    def operation(connection: Connection) -> Redeemed:
        wallet = named_wallet(connection, member, group)
        return codes.redeem(connection, actor(), secret, wallet, member_id=None)

    done = run(data, lambda db: db.write(operation))
    view = {
        "wallet": done.wallet.id,
        "tokens": tokens(done.batch.amount),
        "expires_at": moment(done.expires_at),
        "models": list(done.batch.models or ()),
        "available": tokens(done.wallet.available),
    }
    show(view, as_json=as_json)


@contextmanager
def _new(out: Path) -> Iterator[BinaryIO]:
    """A file that its owner alone may read; taken back where no codes were made.

    It is there before them: none is lost because it cannot be written.
    """
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}: no code was made") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
    except click.ClickException:
        out.unlink()
        raise


def _codes(made: Batch, secrets: list[str]) -> list[Mapping[str, Any]]:
    until = moment(made.expires_at)
    return [
        {"number": number, "code": each, "tokens": tokens(made.amount), "expires_at": until}
        for number, each in enumerate(secrets, 1)
    ]


def _redemption(found: Redemption) -> dict[str, Any]:
    return {
        "number": found.number,
        "redeemed_at": moment(found.at),
        "wallet": found.wallet_id,
        "member": found.appid,
    }


def _view(found: Batch) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "tokens": tokens(found.amount),
        "redeemed": found.redeemed,
        "count": found.count,
        "state": found.state(now()),
        "expires_at": moment(found.expires_at),
        "valid_days": found.valid_days,
        "models": list(found.models or ()),
        "created_by": found.created_by,
        "created_at": moment(found.created_at),
    }
