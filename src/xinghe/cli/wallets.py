"""Naming a wallet by whose it is; `xinghe transfer`, from one into another."""

from collections.abc import Callable
from typing import Any

import click

from xinghe.accounts import group_tables, rules, tables, transfers
from xinghe.accounts.wallets import Wallet
from xinghe.cli.common import (
    MEMBER,
    Amount,
    Command,
    Validated,
    WithAmount,
    actor,
    show,
    shown_options,
    tokens,
    transact,
)
from xinghe.settings import Settings
from xinghe.storage import Connection


def of_wallet(prefix: str, where: str) -> Callable[[Command], Command]:
    """`--member NAME` and `--group NAME`, of which one is given; what stands before the names."""

    def decorate(command: Command) -> Command:
        for kind, whose in (("group", "the wallet of a group"), ("member", "a member's own")):
            option = click.option(
                f"--{prefix}{kind}", type=MEMBER, metavar="NAME", help=f"{where} {whose}."
            )
            command = option(command)
        return command

    return decorate


def named_wallet(
    connection: Connection, member: str | None, group: str | None, prefix: str = ""
) -> int:
    """The wallet of the one that is named. Raises `UsageError` and `AccountError`."""
    if (member is None) == (group is None):
        raise click.UsageError(f"name one: --{prefix}member or --{prefix}group")
    if group is not None:
        return group_tables.group(connection, group).wallet_id
    return tables.member(connection, str(member)).id


@click.command(cls=WithAmount)
@click.argument("amount", type=Amount(), metavar="TOKENS")
@of_wallet("to-", "Into")
@of_wallet("from-", "From")
@click.option("--note", type=Validated("note", rules.check_note), default="", help="Why.")
@shown_options
def transfer(
    *,
    amount: int,
    from_member: str | None,
    from_group: str | None,
    to_member: str | None,
    to_group: str | None,
    note: str,
    data: str | None,
    as_json: bool,
) -> None:
    """Move TOKENS from one wallet into another.

    They expire when they would have. What requests hold stays, and what is bound to models.

    For example: xinghe transfer 5000 --from-group 物理1班 --to-member 张三 --note 竞赛
    """

    def operation(connection: Connection, _: Settings) -> tuple[Wallet, Wallet]:
        source = named_wallet(connection, from_member, from_group, "from-")
        target = named_wallet(connection, to_member, to_group, "to-")
        return transfers.transfer(connection, actor(), source, target, amount, note)

    source, target = transact(data, operation)
    show([_row("from", source, -amount), _row("to", target, amount)], as_json=as_json)


def _row(side: str, wallet: Wallet, change: int) -> dict[str, Any]:
    return {
        "": side,
        "wallet": wallet.id,
        "of": wallet.subject,
        "tokens": tokens(change),
        "available": tokens(wallet.available),
    }
