"""What `xinghe serve` does once the gateway's process has been started: begin, tell, supervise."""

import os
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial
from textwrap import dedent

import click
import msgspec
from msgspec.structs import asdict

from xinghe import __version__
from xinghe.accounts import AccountError, Tokens
from xinghe.catalog import CatalogError
from xinghe.cli.begin import begun
from xinghe.cli.common import called, local_server
from xinghe.cli.console import is_loopback, link_url
from xinghe.cli.language import is_chinese
from xinghe.doctor import computing
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

MODEL = "ernie-3.5-8k"
"""Of the examples to paste."""

BASE_URLS = (
    ("/llm/lmapi/v3", "照星河文档写的程序", "programs written by Xinghe's documentation"),
    ("/v1", "其他说 OpenAI 的一切", "everything else that speaks OpenAI"),
    ("", "说 Anthropic 的(如 Claude Code)", "what speaks Anthropic, as Claude Code does"),
)
"""What each mount is for: in Chinese, and in English. The longest is the first."""


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
        click.echo(_addresses(self.settings.server.base_url))
        if token is not None:
            click.echo(_quickstart_text(url, token))
        for state in engines.states:
            click.echo(f"engine {state.deployment}: {computing.text(asdict(state))}")
        click.echo(search_told(self.settings))
        click.echo(f"metrics at {metrics_url}/metrics")
        click.echo(way_in, nl=False)
        click.echo(f"settings of Open WebUI, Codex, Claude Code and others: {called()} connect")
        click.echo(f"Xinghe {__version__} is ready at {url}")


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
                hint = f"open it within ten minutes, once; another: {called()} console link"
                return f"console at {link}\n  ({hint})\n"
    return f"console at {settings.server.base_url}/\n"


def _addresses(url: str) -> str:
    """The base URLs, each with who takes it."""
    first, *others = [
        (url + mount, one if is_chinese() else other) for mount, one, other in BASE_URLS
    ]
    width = len(first[0])
    return "\n".join(
        [
            f"base URL      {first[0]}  {first[1]}",
            *(f"              {base:<{width}}  {who}" for base, who in others),
        ]
    )


async def _quickstart_token(settings: Settings) -> str:
    async with await Database.open(settings.data_dir, settings.database.url) as database:
        return await Tokens(database, actor="quickstart").quickstart()


def _quickstart_text(url: str, token: str) -> str:
    """Access token, and the same question by curl and by Python."""
    base = f"{url}/llm/lmapi/v3"
    return dedent(f"""\
        access token  {token}
                      (shown this once, and only its hash is stored; more: {called()} token create)

        curl {base}/chat/completions \\
          -H "Authorization: Bearer {token}" -H "Content-Type: application/json" \\
          -d '{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "你好"}}]}}'

        # pip install openai
        from openai import OpenAI
        client = OpenAI(base_url="{base}", api_key="{token}")
        answer = client.chat.completions.create(
            model="{MODEL}", messages=[{{"role": "user", "content": "你好"}}]
        )
        print(answer.choices[0].message.content)
        """)


def _url(listener: socket.socket) -> str:
    """What a client on this machine connects to."""
    return http_url(*listener.getsockname()[:2])
