"""What a running service tells of its models, to a command on the same machine."""

from __future__ import annotations

import asyncio
import http.client
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from xinghe.configuration import Configurations
from xinghe.outbound.replicas import ServerState
from xinghe.settings import Settings
from xinghe.supervisor.whereabouts import Whereabouts, environment, find

TIMEOUT = 5.0
"""Seconds that it has to answer."""
MOST = 16 * 1024 * 1024
FOLLOWS, READY, PAUSE = 3.0, 2.0, 0.1
"""Seconds that it has to follow a change, that a model has to be ready then, between two looks."""
LOADING = f"; the model is not ready after {READY:g} s: it is being loaded (`xinghe models list`)"


class About(msgspec.Struct):
    """Of `/models` beside the metrics; speeds as in the list that clients get."""

    served_by: str | None = None
    state: str = ""
    first_token_ms: float | None = None
    tokens_per_second: float | None = None

    @property
    def ready(self) -> bool:
        return self.state == "ready"


class Model(msgspec.Struct):
    id: str
    xinghe: About


class Told(msgspec.Struct):
    """`engines` and `servers` by deployment."""

    data: list[Model] = []
    engines: dict[str, dict[str, Any]] = {}
    servers: dict[str, list[ServerState]] = {}


def running(settings: Settings) -> Whereabouts | None:
    """The service on this data directory; `None` where none runs."""
    return find(settings.data_dir)


def lacks(settings: Settings, where: Whereabouts, variable: str) -> bool:
    """Whether a variable is surely not set in its environment."""
    variables = environment(settings.data_dir, where)
    return variables is not None and not variables.get(variable, "").strip()


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


async def follows(
    settings: Settings, configurations: Configurations, number: int, model: str = ""
) -> str:
    """What becomes of a version in the service, waited for while it takes it, and of a `model`."""
    where = running(settings)
    if where is None:
        others = [each for each in await configurations.places() if each.place and each.version]
        text = f"no service runs on {settings.data_dir}: its next start has it"
        known = ", ".join(each.place for each in others if each.place != configurations.place)
        return f"{text}; others on this database follow by themselves: {known}" if known else text
    if not where.url:
        return "the service is being started: it has it when it is ready"
    end = time.monotonic() + FOLLOWS
    while time.monotonic() < end:
        for place in await configurations.places():
            if place.place == configurations.place and place.version >= number:
                ready = not model or await _is_ready(where, model)
                return f"the service at {where.url} serves by it now" + ("" if ready else LOADING)
            if place.place == configurations.place and f"version {number}: " in place.trouble:
                return f"the service at {where.url} could not take it: {place.trouble}"
        await asyncio.sleep(PAUSE)
    return f"the service at {where.url} has not taken it yet: `xinghe config status` says how it is"


async def _is_ready(where: Whereabouts, model: str) -> bool:
    """Whether a model answers, or begins to within a moment."""
    end = time.monotonic() + READY
    while time.monotonic() < end:
        told = await asyncio.to_thread(models, where)
        if told is None or any(each.id == model and each.xinghe.ready for each in told.data):
            return True
        await asyncio.sleep(PAUSE)
    return False
