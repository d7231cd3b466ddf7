"""A repository is fetched from its hub: what is needed, once, and never what could run code."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from tests.images.diffusion.hubs import HuggingFace, ModelScope
from tests.images.diffusion.hubs.hub import NAME, TOKEN, Hub, contents
from tests.images.diffusion.trial import Act, Trial
from xinghe.images.diffusion.messages import Spec
from xinghe.images.diffusion.repository import BASE

WEIGHTS = {
    "text_encoder": "model",
    "text_encoder_2": "model",
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
}
CONFIGURATION = {
    "model_index.json",
    *(f"{part}/config.json" for part in WEIGHTS),
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
}
FULL = {f"{part}/{name}.safetensors" for part, name in WEIGHTS.items()}
HALF = {f"{part}/{name}.fp16.safetensors" for part, name in WEIGHTS.items()}
BESIDES = {
    "README.md",
    ".gitattributes",
    "sd_xl_base_1.0.safetensors",
    "text_encoder/pytorch_model.bin",
    "text_encoder/model.onnx",
    "text_encoder/flax_model.msgpack",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.bin",
    "vae_1_0/diffusion_pytorch_model.safetensors",
}
"""What `stable-diffusion-xl-base-1.0` has besides, or has had."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trial(home: Path) -> Iterator[Trial]:
    with Trial(home) as trial:
        yield trial


@pytest.fixture(params=[HuggingFace, ModelScope])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    files = {path: os.urandom(1000) for path in CONFIGURATION | FULL | HALF | BESIDES}
    async with request.param(files) as hub:
        yield hub


@pytest.fixture
def spec(hub: Hub, tmp_path: Path) -> Spec:
    return Spec(NAME, False, kind(hub), hub.url, str(tmp_path / "cache"), "", "cpu", "auto")


def kind(hub: Hub) -> Literal["huggingface", "modelscope"]:
    return "huggingface" if isinstance(hub, HuggingFace) else "modelscope"


async def fetched(trial: Trial, spec: Spec, act: Act = "fetch") -> dict[str, bytes]:
    return contents(await asyncio.to_thread(trial.fetched, spec, act))


async def refused(trial: Trial, spec: Spec) -> str:
    return await asyncio.to_thread(trial.refused, spec, "fetch")


def only(hub: Hub, paths: set[str]) -> dict[str, bytes]:
    return {path: hub.files[path] for path in paths}


async def test_what_is_needed_is_fetched_once(hub: Hub, trial: Trial, spec: Spec) -> None:
    needed = CONFIGURATION | FULL
    assert await fetched(trial, spec) == only(hub, needed)
    assert hub.paths == sorted(needed)
    assert await fetched(trial, spec) == only(hub, needed)
    assert hub.paths == sorted(needed)


async def test_a_client_leaves_no_mark_of_the_machine(
    hub: Hub, trial: Trial, spec: Spec, home: Path
) -> None:
    for _ in range(2):
        await fetched(trial, spec)
    ids = {found for agent in hub.agents for found in re.findall(r"session_id/(\w+)", agent)}
    assert len(ids) == (2 if isinstance(hub, ModelScope) else 0)
    assert contents(home) == {}


async def test_weights_of_16_bits_do_where_such_are_asked_for(
    hub: Hub, trial: Trial, spec: Spec
) -> None:
    needed = CONFIGURATION | HALF
    assert await fetched(trial, spec, "fetch half") == only(hub, needed)
    assert hub.paths == sorted(needed)


async def test_who_has_no_weights_of_16_bits_gives_the_others(
    hub: Hub, trial: Trial, spec: Spec
) -> None:
    hub.files = {path: data for path, data in hub.files.items() if path not in HALF}
    needed = CONFIGURATION | FULL
    assert await fetched(trial, spec, "fetch half") == only(hub, needed)
    assert hub.paths == sorted(needed)


async def test_a_hub_that_is_away_later_is_not_missed(hub: Hub, trial: Trial, spec: Spec) -> None:
    before = await fetched(trial, spec)
    await hub.leave()
    assert await fetched(trial, spec) == before


async def test_a_hub_that_is_away_at_first(hub: Hub, trial: Trial, spec: Spec) -> None:
    await hub.leave()
    assert f"{NAME} cannot be fetched from {kind(hub)}, {hub.url}: " in await refused(trial, spec)


async def test_what_broke_off_is_fetched_the_next_time(hub: Hub, trial: Trial, spec: Spec) -> None:
    hub.cuts = 1
    assert "cannot be fetched" in await refused(trial, spec)
    assert await fetched(trial, spec) == only(hub, CONFIGURATION | FULL)
    again = [path for path, times in Counter(hub.paths).items() if times > 1]
    assert len(again) == 1
    resumed = [(path, asked) for path, asked in hub.brought if asked]
    half = len(hub.files[again[0]]) // 2
    # The client of Hugging Face begins such a file anew, see `_sweep`.
    assert resumed == ([(again[0], f"bytes={half}-")] if isinstance(hub, ModelScope) else [])


async def test_a_repository_that_is_not_there(hub: Hub, trial: Trial, spec: Spec) -> None:
    told = await refused(trial, msgspec.structs.replace(spec, weights="someone/else"))
    assert told.startswith(f"someone/else cannot be fetched from {kind(hub)}, {hub.url}: ")
    assert "404" in told
    assert "not found" in told.lower()


SAID = {
    "huggingface": ["Cannot access gated repo", f"Access to model {NAME} is restricted"],
    "modelscope": ["403", "it is restricted"],
}


async def test_a_repository_that_is_not_for_all(
    hub: Hub, trial: Trial, spec: Spec, tmp_path: Path
) -> None:
    hub.closed = "it is restricted"
    told = await refused(trial, spec)
    assert all(each in told for each in SAID[spec.hub])
    tokens = {"HF_TOKEN": TOKEN, "MODELSCOPE_API_TOKEN": TOKEN}
    with Trial(tmp_path, tokens) as ours:
        assert set(await fetched(ours, spec)) == CONFIGURATION | FULL


async def test_a_hub_that_is_not_used(hub: Hub, trial: Trial, spec: Spec) -> None:
    told = await refused(trial, msgspec.structs.replace(spec, endpoint=""))
    assert f"`weights.{kind(hub)}` is empty" in told
    assert hub.brought == []


async def test_the_configuration_for_a_single_file(hub: Hub, trial: Trial, spec: Spec) -> None:
    hub.name = BASE[kind(hub)]
    assert await fetched(trial, spec, "fetch configuration") == only(hub, CONFIGURATION)
    assert hub.paths == sorted(CONFIGURATION)


@pytest.mark.parametrize("hub", [HuggingFace], indirect=True)
async def test_what_a_killed_process_left_is_removed(hub: Hub, trial: Trial, spec: Spec) -> None:
    blobs = Path(spec.cache, "huggingface", "models--someone--sdxl", "blobs")
    os.makedirs(blobs)
    old, new = blobs / "a.1.incomplete", blobs / "a.2.incomplete"
    for partial in (old, new):
        partial.write_bytes(b"half")
    os.utime(old, (0, time.time() - 3700))
    await fetched(trial, spec)
    assert (old.exists(), new.exists()) == (False, True)
