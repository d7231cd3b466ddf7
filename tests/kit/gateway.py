"""The whole gateway within the test's own loop: on a port, and open to be looked into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import uvicorn

from tests.kit.api import Api
from tests.kit.catalogs import catalog_of
from tests.kit.command import xinghe
from tests.kit.server import free_port
from xinghe.api.connection import Connection
from xinghe.api.flow import WaitingRoom
from xinghe.app import System, running
from xinghe.catalog import Catalog, built, merged
from xinghe.settings import Settings
from xinghe.supervisor.gateway import QuietServer


@dataclass(frozen=True)
class Gateway:
    """`api` asks it with a token of its own; ask in threads, for the loop is the gateway's."""

    system: System
    settings: Settings
    api: Api
    data: Path

    def catalog(self, tree: dict[str, Any]) -> Catalog:
        """What an operator's tree makes of the built-in catalog."""
        return built(merged(tree), self.settings)

    async def charged(self) -> dict[str, float]:
        """What each request has cost, in Tokens, by its id."""
        asked = ["ledger", "entries", "--member", "default", "--limit", "200", "--json"]
        told = await asyncio.to_thread(xinghe, *asked, data=self.data)
        entries = msgspec.json.decode(told)
        return {each["request_id"]: -each["amount"] for each in entries if each["request_id"]}


@asynccontextmanager
async def gateway(data: Path, models: str) -> AsyncIterator[Gateway]:
    """The service on a port, within this loop; `models` is the text of its models.toml."""
    await asyncio.to_thread((data / "models.toml").write_text, models, "utf-8")
    settings = Settings(data=str(data))
    port = free_port()
    async with running(settings, catalog_of(settings)) as system:
        http = partial(Connection, WaitingRoom(200), 30.0, 30.0)
        server = QuietServer(
            uvicorn.Config(
                system.app,
                host="127.0.0.1",
                port=port,
                http=cast("type[asyncio.Protocol]", http),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=5,
            )
        )
        serving = asyncio.create_task(server.serve())
        token = await asyncio.to_thread(xinghe, "token", "create", data=data)
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield Gateway(system, settings, Api(f"http://127.0.0.1:{port}", token), data)
        server.should_exit = True
        await serving
