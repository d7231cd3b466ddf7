"""`xinghe serve`: the whole service in the foreground."""

import asyncio
import os
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial
from textwrap import dedent

import click
from msgspec.structs import asdict, replace

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
from xinghe.settings import Settings, SettingsError, http_url
from xinghe.settings import load as load_settings
from xinghe.storage import Database, StorageError
from xinghe.storage import running as keeping
from xinghe.supervisor.child import ServeError
from xinghe.supervisor.children import DatabaseProcess, GatewayProcess
from xinghe.supervisor.engines import Engines
from xinghe.supervisor.supervisor import Supervisor, listen, listen_for_metrics, lock_data
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


@click.command()
@click.option("--host", help="Where to listen.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="0 takes any free port.  [default: 8000]"
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Where /metrics is served.  [default: the port after the API's]",
)
@click.option("--data", metavar="DIR", help="The data directory.  [default: $XINGHE_DATA]")
@click.option("--model", help="Weights of the embedded engine: default, small, a name or a path.")
@click.option("--postgres", is_flag=True, help="Keep the books in a PostgreSQL of its own.")
@click.option("--quickstart", is_flag=True, help="Print a new access token and examples to paste.")
def serve(
    host: str | None,
    port: int | None,
    metrics_port: int | None,
    data: str | None,
    model: str | None,
    postgres: bool,
    quickstart: bool,
) -> None:
    """Start the service and stay in the foreground.

    Ctrl-C or SIGTERM ends it: running answers are finished within `server.grace` seconds,
    everything is settled, and the exit status is 0.

    With --postgres, a PostgreSQL server is started with it, whose files are in `postgresql` of the
    data directory. Once these are there, it is used without the option too.
    """
    options = {
        "server.host": host,
        "server.port": port,
        "server.metrics_port": metrics_port,
        "embedded.model": model,
    }
    stack = ExitStack()
    try:
        settings = load_settings(data, options)
        logs.configure(settings.log.level, settings.log.format)
        reporting(settings.payment)  # refused before anything is started
        lock = lock_data(settings.data_dir)
        if postgres and settings.database.url:
            raise ServeError("--postgres starts a server, and database.url names another")
        local = local_server(settings, wanted=postgres)
        if local is not None:
            stack.enter_context(keeping(local, own=True))
        start = asyncio.run(begun(settings))
        listener = listen(settings.server.host, settings.server.port)
        # With the port that the system chose, where it is 0.
        server = replace(settings.server, port=listener.getsockname()[1])
        settings = replace(settings, server=server)
        metrics_listener = listen_for_metrics(settings.server, settings.server.port)
        token = asyncio.run(_quickstart_token(settings)) if quickstart else None
        way_in = asyncio.run(_way_in(settings))
    except (SettingsError, CatalogError, WeightsError, ServeError, StorageError, OSError) as error:
        stack.close()
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        stack.close()
        raise SystemExit(130) from None

    def ready(engines: Engines) -> None:
        tell(lock, Whereabouts(os.getpid(), _url(listener), _url(metrics_listener)))
        click.echo(_addresses(settings.server.base_url))
        if token is not None:
            click.echo(_quickstart_text(_url(listener), token))
        for state in engines.states:
            click.echo(f"engine {state.deployment}: {computing.text(asdict(state))}")
        click.echo(search_told(settings))
        click.echo(f"metrics at {_url(metrics_listener)}/metrics")
        click.echo(way_in, nl=False)
        click.echo(f"settings of Open WebUI, Codex, Claude Code and others: {called()} connect")
        click.echo(f"Xinghe {__version__} is ready at {_url(listener)}")

    async def supervise() -> int:
        engines = Engines(start.engines, settings)
        gateway = GatewayProcess(settings, start.catalog, listener, metrics_listener, engines)
        database = None if local is None else DatabaseProcess(local)
        return await Supervisor(gateway, engines, partial(ready, engines), database).run()

    try:
        with stack:
            raise SystemExit(asyncio.run(supervise()))
    except ServeError as error:
        raise click.ClickException(str(error)) from error


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
