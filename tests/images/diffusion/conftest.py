"""A service whose images come from the tiny model; diffusers is in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import QUICK
from tests.images.diffusion.trial import PYTHON, ROOT
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.catalog import DiffusersDeployment
from xinghe.images.diffusion import DiffusionEngine
from xinghe.settings import Settings

DEPLOYMENT = """
[deployments.sdxl]
engine = "diffusers"
weights = "{weights}"
python = "{python}"
threads = 1
queue = 1

[models."Stable-Diffusion-XL"]
deployment = "sdxl"
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Stable Diffusion XL with random weights; nobody writes to it.

    The first worker that needs it makes it for all: to load diffusers takes long.
    """
    assert PYTHON.exists(), "`make images` makes the environment of these tests"
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "sdxl"
    shared.mkdir(exist_ok=True)
    folder, made = shared / "tiny", shared / "made"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            maker = [str(PYTHON), "-m", "tests.images.diffusion.tiny", str(folder)]
            subprocess.run(maker, check=True, capture_output=True, timeout=240, cwd=ROOT)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def single(tiny: Path) -> Path:
    """The same in a single file."""
    return tiny.with_name("tiny.safetensors")


@pytest.fixture(scope="session")
def config(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a single file lacks: the folder without its weights."""
    folder = tmp_path_factory.mktemp("config") / "sdxl"
    shutil.copytree(tiny, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(tiny: Path) -> AsyncIterator[DiffusionEngine]:
    deployment = DiffusersDeployment(weights=str(tiny), python=str(PYTHON), threads=1)
    engine = DiffusionEngine("sdxl", deployment, Settings(data=str(tiny.parent)))
    await engine.start()
    yield engine
    await engine.aclose()


@pytest.fixture(scope="session")
def service(
    tiny: Path, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models += DEPLOYMENT.format(weights=tiny, python=PYTHON)
    with Server(tmp_path_factory.mktemp("images"), models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="session")
def drawn(service: Server) -> Api:
    """A client of the service, once the model is loaded."""
    api = Api(service.url, service.token())
    body = {"model": "Stable-Diffusion-XL", "prompt": "a", "size": "768x768", "steps": 10}
    assert api.post("/images/generations", body).status == 200
    return api
