"""What the pages cost: scripts, and the memory of the gateway."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bench.harness import worker_of
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.pages import MEMBERS, OPERATORS
from tests.kit.server import Server, free_port
from tests.kit.sold import SALES, sell
from tests.kit.visitor import Visitor

from xinghe.console.assets import FILES, MODULES, WHEN_NEEDED, Assets
from xinghe.console.menu import MENU

MOST_SCRIPT = 120 * 1024
MOST_WHEN_NEEDED = 140 * 1024
MOST_MEMORY = 10 * 2**20


def test_scripts_are_small() -> None:
    assets = Assets()
    scripts = [name for name in FILES if name.endswith(".js")]
    assert sum(assets.size(name) for name in (*scripts, *MODULES)) < MOST_SCRIPT
    assert sum(assets.size(name) for name in WHEN_NEEDED) < MOST_WHEN_NEEDED


@pytest.mark.slow
def test_an_idle_gateway_needs_little_more_with_pages_that_were_all_seen(tmp_path: Path) -> None:
    models = models_toml("http://127.0.0.1:9", free_port(), ALL_SCRIPTED)
    grown = {}
    for name in "first", "false", "true":  # templates are compiled once, by the first
        enabled = "false" if name == "false" else "true"
        settings = {"XINGHE_CONSOLE__ENABLED": enabled}
        with Server(tmp_path / name, models=models, settings=settings) as server:
            token = server.token("--scope", "account.read", "--scope", "admin")
            sold = sell(server, "default")
            visitor = Visitor(server.url)
            if enabled == "true":
                visitor.sign_in(token)
            for _ in range(1 if name == "first" else 3):
                for path in (*(entry.path for entry in MENU), *MEMBERS, *OPERATORS, *SALES):
                    visitor.get(path.format(**sold))
            time.sleep(2)
            grown[name] = worker_of(server).memory_info().rss
    assert grown["true"] - grown["false"] < MOST_MEMORY, grown
