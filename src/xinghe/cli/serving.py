"""What `xinghe serve` does once the gateway's process has been started: begin, tell, supervise."""

import os
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial

import click
import msgspec

from xinghe.accounts import AccountError, Tokens
from xinghe.catalog import CatalogError
from xinghe.cli import ready as told
from xinghe.cli.begin import begun
from xinghe.cli.common import local_server
from xinghe.cli.console import is_loopback, link_url
from xinghe.cli.language import is_chinese
from xinghe.observe import logs
from xinghe.sales.payment import reporting
from xinghe.search.told import told as search_told
from xinghe.settings import Settings, http_url
from xinghe.storage import Database, StorageError
from xinghe.storage import running as keeping
from xinghe.supervisor.child import Child, ServeError
from xinghe.supervisor.children import DatabaseProcess, GatewayProcess
from xinghe.supervisor.engines import Engines
from xinghe.supervisor.listening import listen
from xinghe.supervisor.supervisor import Supervisor
from xinghe.supervisor.whereabouts import Whereabouts, tell
from xinghe.weights import WeightsError


class Serving(msgspec.Struct, frozen=True):
    """A service that has its settings, its data directory (`lock`), its ports and its gateway."""

    settings: Settings
    lock: int
    listener: socket.socket
    metrics_listener: socket.socket
    gateway: Child

    async def run(self, *, postgres: bool, quickstart: bool) -> int:
        """Serve until it is told to stop; the exit status. Raises `SettingsError`, `ServeError`."""
        settings = self.settings
        logs.configure(settings.log.level, settings.log.format)
        reporting(settings.payment)  # refused before anything is changed
        if postgres and settings.database.url:
            raise ServeError("--postgres starts a server, and database.url names another")
        with ExitStack() as stack:
            try:
                local = local_server(settings, wanted=postgres)
                if local is not None:
                    stack.enter_context(keeping(local, own=True))
                start = await begun(settings)
                listen(self.listener, self.metrics_listener)
                token = await _quickstart_token(settings) if quickstart else None
                way_in = await _way_in(settings)
            except (CatalogError, WeightsError, StorageError, OSError) as error:
                raise ServeError(str(error)) from error
            engines = Engines(start.engines, settings)
            gateway = GatewayProcess(
                settings,
                start.catalog,
                self.listener,
                self.metrics_listener,
                engines,
                self.gateway,
            )
            database = None if local is None else DatabaseProcess(local)
            ready = partial(self._tell, engines, token, way_in)
            return await Supervisor(gateway, engines, ready, database).run()

    def _tell(self, engines: Engines, token: str | None, way_in: str) -> None:
        """That it is ready, and how to use it."""
        url, metrics_url = _url(self.listener), _url(self.metrics_listener)
        tell(self.lock, Whereabouts(os.getpid(), url, metrics_url))
        # Whoever pastes an example may sit elsewhere: it names the address that all programs take.
        base = self.settings.server.base_url
        lines = [
            told.addresses(base),
            "" if token is None else told.quickstart(base, token),
            *map(told.engine, engines.states),
            search_told(self.settings, chinese=is_chinese()),
            told.metrics(metrics_url),
            way_in,
            told.clients(),
            told.ready(url),
        ]
        click.echo("\n".join(filter(None, lines)))


async def _way_in(settings: Settings) -> str:
    """What is said of the console: its address; with a link that signs in only where nobody but
    the operator reads it, and where the link surely leads to this service.
    """
    if not settings.console.enabled:
        return ""
    here = is_loopback(settings.server.host) or bool(settings.server.public_url)
    if here and sys.stdout.isatty():
        async with await Database.open(settings.data_dir, settings.database.url) as database:
            with suppress(AccountError):  # nobody is an operator: the command says what to do
                link = await link_url(database, settings, actor="serve")
                return told.console_link(link)
    return told.console(settings.server.base_url)


async def _quickstart_token(settings: Settings) -> str:
    async with await Database.open(settings.data_dir, settings.database.url) as database:
        return await Tokens(database, actor="quickstart").quickstart()


def _url(listener: socket.socket) -> str:
    """What a client on this machine connects to."""
    return http_url(*listener.getsockname()[:2])
