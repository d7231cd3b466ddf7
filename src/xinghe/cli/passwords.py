"""`xinghe member password`: how somebody comes in who has no invitation."""

import sys

import click

from xinghe.cli.common import MEMBER, actor, data_option, run
from xinghe.signin import Passwords, set_password
from xinghe.storage import Database


@click.command()
@click.argument("name", type=MEMBER)
@data_option
def password(name: str, data: str | None) -> None:
    """Give member NAME a password, and end his sessions.

    The password is asked for on a terminal; else it is the first line of standard input.
    """
    if sys.stdin.isatty():
        new = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        new = sys.stdin.readline().rstrip("\n")

    async def action(database: Database) -> None:
        passwords = Passwords()
        try:
            await set_password(database, passwords, name, new, actor=actor())
        finally:
            passwords.close()

    run(data, action)
