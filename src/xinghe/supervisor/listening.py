"""The sockets of a service: where it is to be reached is taken before anything else is begun."""

import socket

from xinghe.settings import Server
from xinghe.supervisor.child import ServeError

BACKLOG = 2048
MAX_PORT = 65535


def bound(host: str, port: int) -> socket.socket:
    """The socket that clients will connect to, once `listen` is called. Raises `ServeError`.

    Until then they are refused: it may be minutes, while model files are fetched.
    """
    version_6 = ":" in host
    bound = socket.socket(socket.AF_INET6 if version_6 else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version_6:
            both = host == "::" and socket.has_dualstack_ipv6()
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise _refused(host, port, error) from error
    return bound


def bound_for_metrics(server: Server) -> socket.socket:
    """The socket of `/metrics`, beside an API on `server.port`. Raises `ServeError`."""
    if server.metrics_port is not None:
        return bound(server.metrics_host, server.metrics_port)
    try:
        return bound(server.metrics_host, min(server.port + 1, MAX_PORT))
    except ServeError:
        return bound(server.metrics_host, 0)


def listen(*listeners: socket.socket) -> None:
    """Have clients wait from now on, whether somebody serves them or not yet.

    Raises `ServeError`: another may have taken the port since it was bound.
    """
    for each in listeners:
        try:
            each.listen(BACKLOG)
        except OSError as error:
            host, port = each.getsockname()[:2]
            raise _refused(host, port, error) from error


def _refused(host: str, port: int, error: Exception) -> ServeError:
    return ServeError(
        f"cannot listen on {host} port {port}: {error}; "
        "choose another with --port or --metrics-port"
    )
