"""What is asked reaches the model: each parameter changes the picture; odd prompts are drawn."""

from __future__ import annotations

import msgspec
import pytest

from xinghe.catalog import DiffusersDeployment
from xinghe.images import ImageEngineAway, ImageParams
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.diffusion import engine as module
from xinghe.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLAIN = ImageParams("cat", "", 128, 128, 10, "Euler", "Base", 1, 5.0, 1)
LONG = "a white cat with a red hat sits on a wooden chair near the window and looks outside, "


async def picture(engine: DiffusionEngine, **changed: object) -> bytes:
    asked: ImageParams = msgspec.structs.replace(PLAIN, **changed)
    (data,) = await engine.generate(asked, lambda _: None)
    return data


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "dog"},
        {"negative_prompt": "dog"},
        {"steps": 11},
        {"sampler": "Heun"},
        {"style": "Anime"},
        {"seed": 2},
        {"cfg_scale": 30.0},
        {"cfg_scale": 0.0},
    ],
    ids=str,
)
async def test_each_parameter_changes_the_picture(
    engine: DiffusionEngine, changed: dict[str, object]
) -> None:
    assert await picture(engine, **changed) != await picture(engine)


@pytest.mark.parametrize(
    "prompt",
    [
        "😀",
        "\x00",
        "<|endoftext|>",
        "{prompt}",
        "%s {0}",
        "(a:1.5) [b]",
        "字" * 1024,
        "\u202e\u2028x",
    ],
    ids=ascii,
)
async def test_odd_prompts_are_drawn(engine: DiffusionEngine, prompt: str) -> None:
    assert (await picture(engine, prompt=prompt)).startswith(b"\x89PNG")


async def test_words_beyond_the_encoder_s_77_tokens_count(engine: DiffusionEngine) -> None:
    long = LONG * 3
    assert await picture(engine, prompt=long + "cat") != await picture(engine, prompt=long + "dog")


async def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    lacking = DiffusionEngine(
        "sdxl", DiffusersDeployment(weights="/nowhere"), Settings(data="/nowhere")
    )
    with pytest.raises(ImageEngineAway, match=r"pip install 'xinghe\[images\]'"):
        await lacking.generate(PLAIN, lambda _: None)
