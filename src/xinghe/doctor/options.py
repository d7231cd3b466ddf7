"""What is to be examined: the command line, then `XINGHE_*`, then xinghe.toml, then the defaults.

The defaults are those of `xinghe.settings`, which cannot be imported here; a test holds the two
together.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .served import CannotServe, weights

DEFAULT_HOST, DEFAULT_PORT, DEFAULT_MODEL = "127.0.0.1", 8000, "default"


class OptionError(Exception):
    """An option or variable that cannot be understood."""


class Options(NamedTuple):
    """`environment` is the virtual environment, made or still to be made; empty: not asked for.

    `embedded`: the embedded engine serves some model, with the file `model`. `database` is
    the URL of one that is not in the data directory; a password may be in it. `running`: the
    service itself asks, which knows how it does, and is to be disturbed as little as can be.
    """

    preflight: bool
    json: bool
    host: str
    port: int
    data: str
    cache: str
    model: str
    threads: int
    embedded: bool
    environment: str
    database: str = ""
    running: bool = False


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Raises `OptionError`. A preflight overlooks options that are not the doctor's."""
    parser = argparse.ArgumentParser(
        prog="xinghe doctor",
        description="Say what is wrong with this machine or installation, and what mends it.",
        allow_abbrev=False,
    )
    parser.add_argument("--preflight", action="store_true", help="only what an installation needs")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--host", help="address that the service listens on")
    parser.add_argument("--port", help="port that the service listens on")
    parser.add_argument("--data", metavar="DIR", help="the data directory")
    parser.add_argument("--model", metavar="NAME", help="the embedded engine's model file")
    parser.add_argument("--running", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--environment", metavar="DIR", default="", help=argparse.SUPPRESS)
    given, others = parser.parse_known_args(argv)
    if others and not given.preflight:
        parser.error("unrecognized arguments: " + " ".join(others))
    data = _absolute(
        given.data or environ.get("XINGHE_DATA") or _xdg(environ, "DATA", "local/share")
    )
    file = environ.get("XINGHE_CONFIG") or os.path.join(data, "xinghe.toml")
    table = read_toml(file)

    def setting(section: str, key: str, default: object) -> Any:
        variable = f"XINGHE_{section}__{key}".upper()
        if variable in environ:
            return environ[variable]
        branch = table.get(section)
        return branch.get(key, default) if isinstance(branch, dict) else default

    cache = setting("weights", "cache", "")
    database = str(setting("database", "url", ""))
    try:
        served = weights(data, database, given.environment, given.model or "", environ)
    except CannotServe as error:
        raise OptionError(str(error)) from error
    own = str(given.model or setting("embedded", "model", DEFAULT_MODEL))
    return Options(
        preflight=given.preflight,
        json=given.json,
        host=given.host or str(setting("server", "host", DEFAULT_HOST)),
        port=_port(given.port or setting("server", "port", DEFAULT_PORT)),
        data=data,
        cache=_absolute(cache or os.path.join(_xdg(environ, "CACHE", "cache"), "weights")),
        model=served[0] if served else own,
        threads=_threads(setting("embedded", "threads", 0)),
        embedded=served is None or bool(served),
        environment=given.environment,
        database=database,
        running=given.running,
    )


def read_toml(path: str) -> dict[str, Any]:
    """The table of a TOML file; empty where there is none or this Python cannot read one."""
    try:
        import tomllib  # noqa: PLC0415  (new in Python 3.11)
    except ImportError:
        return {}
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: {error}") from error


def _port(value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = -1
    if not 0 <= port <= 65535:
        raise OptionError(f"the port is {value!r}, and must be a whole number from 0 to 65535")
    return port


def _threads(value: Any) -> int:
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        raise OptionError(f"embedded.threads is {value!r}, and must be a whole number") from None


def _xdg(environ: Mapping[str, str], kind: str, fallback: str) -> str:
    base = environ.get(f"XDG_{kind}_HOME") or os.path.join("~", "." + fallback)
    return os.path.join(base, "xinghe")


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
