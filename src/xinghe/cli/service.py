"""What a running service tells of its models, to a command on the same machine."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import msgspec

from xinghe.settings import Settings
from xinghe.supervisor.whereabouts import Whereabouts, find

TIMEOUT = 5.0
"""Seconds that it has to answer."""
MOST = 16 * 1024 * 1024


class About(msgspec.Struct):
    """Of `/models` beside the metrics; speeds as in the list that clients get."""

    served_by: str | None = None
    state: str = ""
    first_token_ms: float | None = None
    tokens_per_second: float | None = None


class Model(msgspec.Struct):
    id: str
    xinghe: About


class Told(msgspec.Struct):
    data: list[Model] = []
    engines: dict[str, dict[str, Any]] = {}


def running(settings: Settings) -> Whereabouts | None:
    """The service on this data directory; `None` where none runs."""
    return find(settings.data_dir)


def models(where: Whereabouts) -> Told | None:
    """What it says of its models and engines; `None` where it does not answer."""
    parts = urlsplit(where.metrics_url)
    if not parts.hostname:
        return None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/models")
        answer = connection.getresponse()
        if answer.status != 200:
            return None
        return msgspec.json.decode(answer.read(MOST), type=Told)
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        connection.close()
