"""`xinghe serve`: the whole service in the foreground.

What takes long to import stands in `serving`: the gateway's process is started before, and imports
what it needs meanwhile.
"""

import asyncio
import socket

import click
from msgspec.structs import replace

from xinghe.settings import Settings, SettingsError
from xinghe.settings import load as load_settings
from xinghe.supervisor.child import GATEWAY, Child, ServeError
from xinghe.supervisor.listening import bound, bound_for_metrics
from xinghe.supervisor.whereabouts import lock_data


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
    try:
        settings = load_settings(data, options)
        lock = lock_data(settings.data_dir)
        listener = bound(settings.server.host, settings.server.port)
        # With the port that the system chose, where it is 0.
        server = replace(settings.server, port=listener.getsockname()[1])
        settings = replace(settings, server=server)
        listeners = listener, bound_for_metrics(server)
    except (SettingsError, ServeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    try:
        running = _run(settings, lock, listeners, postgres=postgres, quickstart=quickstart)
        raise SystemExit(asyncio.run(running))
    except (SettingsError, ServeError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _run(
    settings: Settings,
    lock: int,
    listeners: tuple[socket.socket, socket.socket],
    *,
    postgres: bool,
    quickstart: bool,
) -> int:
    """The exit status of the service. Raises `SettingsError`, `ServeError`."""
    listener, metrics_listener = listeners
    gateway = await Child.spawn(GATEWAY, (listener.fileno(), metrics_listener.fileno()))
    try:
        from xinghe.cli.serving import Serving  # noqa: PLC0415

        serving = Serving(settings, lock, listener, metrics_listener, gateway)
        return await serving.run(postgres=postgres, quickstart=quickstart)
    finally:
        gateway.kill()  # one that nobody was there to tell what to serve
        await gateway.wait()
