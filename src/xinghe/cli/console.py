"""`xinghe console`: the way into the web pages for whoever runs the service."""

import ipaddress

import click

from xinghe.accounts import Members
from xinghe.cli.common import actor, data_option, run_in
from xinghe.settings import Settings, SettingsError
from xinghe.signin import links
from xinghe.storage import Database


@click.group()
def console() -> None:
    """The web pages."""


@console.command()
@data_option
def link(data: str | None) -> None:
    """Print a link that signs the operator in: once, within ten minutes.

    The links before it work no more. It is a secret: whoever opens it first is the operator. It
    begins with the address of the settings; a port that the service was given by --port is yours
    to put in.
    """

    async def made(settings: Settings) -> str:
        if not settings.console.enabled:
            raise SettingsError("console.enabled is false: there are no pages")
        async with await Database.open(
            settings.data_dir, settings.database.url, create=False
        ) as database:
            return await link_url(database, settings, actor=actor())

    click.echo(run_in(data, made))


async def link_url(database: Database, settings: Settings, *, actor: str) -> str:
    """A new one-time link, for the member `default` if there is nobody yet.

    Raises `AccountError` where nobody is an operator.
    """
    await Members(database, actor=actor).ensure_default()
    code = await links.new_link(database, actor=actor)
    return f"{settings.server.base_url}{links.PATH}{code}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listening address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
