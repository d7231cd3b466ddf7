"""The same model draws the same picture, wherever it comes from."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from PIL import Image
from structlog.testing import capture_logs

from tests.images.diffusion.hubs import HuggingFace, ModelScope
from tests.images.diffusion.hubs.hub import NAME, Hub, contents
from tests.images.diffusion.trial import PYTHON
from xinghe.catalog import DiffusersDeployment
from xinghe.images import ImageParams
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.diffusion.repository import BASE
from xinghe.settings import Settings, Weights

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = ImageParams("a cat", "a dog", 128, 128, 10, "DPM++ 2M Karras", "Anime", 7, 5.0, 1)


async def picture(engine: DiffusionEngine) -> bytes:
    (data,) = await engine.generate(ASKED, lambda _: None)
    return data


async def drawn(cache: Path, url: str, weights: str, **fields: str) -> bytes:
    """By a deployment with these fields; what it fetches it fetches from `url`."""
    made = {"engine": "diffusers", "weights": weights, "python": str(PYTHON), "threads": 1}
    deployment = msgspec.convert({**made, **fields}, DiffusersDeployment)
    settings = Settings(weights=Weights(cache=str(cache), modelscope=url, huggingface=url))
    engine = DiffusionEngine("sdxl", deployment, settings)
    try:
        return await picture(engine)
    finally:
        await engine.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fetched(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a folder of diffusers' format draws that came from a hub."""
    async with ModelScope(contents(tiny)) as hub:
        return await drawn(tmp_path_factory.mktemp("fetched"), hub.url, NAME)


async def test_a_fetched_folder_draws(fetched: bytes) -> None:
    with Image.open(io.BytesIO(fetched)) as image:
        assert (image.format, image.size) == ("PNG", (128, 128))


async def test_a_single_file_draws_as_its_folder_does(
    fetched: bytes, single: Path, config: Path, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        assert await drawn(tmp_path, "", str(single), config=str(config)) == fetched
    # Neither progress bars nor what the libraries would rather have.
    assert logs == []


@pytest.mark.slow
async def test_the_folder_draws_the_same_unfetched(fetched: bytes, engine: DiffusionEngine) -> None:
    assert await picture(engine) == fetched


@pytest.mark.slow
async def test_the_folder_from_hugging_face_draws_the_same(
    fetched: bytes, tiny: Path, tmp_path: Path
) -> None:
    async with HuggingFace(contents(tiny)) as hub:
        assert await drawn(tmp_path, hub.url, NAME, hub="huggingface") == fetched


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ModelScope, HuggingFace])
async def test_a_single_file_alone_gets_the_rest_from_the_hub(
    fetched: bytes, single: Path, config: Path, tmp_path: Path, kind: type[Hub]
) -> None:
    name = kind.__name__.lower()
    async with kind(contents(config), BASE[name]) as hub:
        assert await drawn(tmp_path, hub.url, str(single), hub=name) == fetched
