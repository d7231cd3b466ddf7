"""`xinghe`: the command line. One module a group of commands."""

import copy
import sys

import click

from xinghe import __version__
from xinghe.cli.audit import audit
from xinghe.cli.backup import backup, restore_command
from xinghe.cli.budgets import budget
from xinghe.cli.console import console
from xinghe.cli.enrolment import import_members
from xinghe.cli.groups import group
from xinghe.cli.ledger import ledger
from xinghe.cli.members import member
from xinghe.cli.models import models
from xinghe.cli.passwords import password
from xinghe.cli.search import search
from xinghe.cli.serve import serve
from xinghe.cli.tokens import token
from xinghe.cli.usage import usage
from xinghe.doctor.run import main as examine


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="xinghe")
def main() -> None:
    """星河大模型API, open and self-hosted: one command starts the service, the others run it.

    Settings come from <data>/xinghe.toml and XINGHE_* variables, models from <data>/models.toml.
    """


@main.command(
    "doctor",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def doctor(arguments: tuple[str, ...]) -> None:
    """Say what is wrong with this machine or installation, and what mends it."""
    # The doctor reads its own options, since it also runs where click is not installed yet.
    sys.exit(examine(arguments))


member.add_command(import_members)
member.add_command(password)
# What it was called before there were groups.
account = copy.copy(member)
account.hidden = True
main.add_command(account, "account")
for command in (
    serve,
    member,
    group,
    token,
    budget,
    usage,
    audit,
    console,
    models,
    ledger,
    search,
    backup,
    restore_command,
):
    main.add_command(command)
