"""Any OpenAI-compatible image server as an engine: what it is sent, and what it may answer."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from PIL import Image

from xinghe.catalog import UpstreamImagesDeployment, built, merged
from xinghe.core import Busy
from xinghe.images import (
    ImageEngineAway,
    ImageEngineError,
    ImageEngineFailed,
    ImageEngineIndebted,
    ImageEngineRefused,
    ImageEngineUnavailable,
    ImageParams,
)
from xinghe.images.upstream import UpstreamImageEngine
from xinghe.settings import Settings

ASKED = ImageParams("一只白猫", "狗", 64, 64, 10, "Heun", "Anime", 4294967295, 7.5, 2)


def image(form: str = "PNG", size: tuple[int, int] = (64, 64)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, form)
    return file.getvalue()


def bomb() -> str:
    """A PNG of a few bytes that says it has a billion pixels."""
    data = bytearray(image())
    data[16:24] = struct.pack(">II", 32_000, 32_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return base64.b64encode(data).decode()


class Server:
    """Answers with what `answer` says: a JSON body, or a status."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Any = {"data": [{"b64_json": base64.b64encode(image()).decode()}]}
        self.headers: dict[str, str] = {}
        self.file = image()
        self.seconds = 0.0
        self.at_work = 0

    async def generations(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        self.at_work += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_work -= 1
        if isinstance(self.answer, int):
            return web.Response(status=self.answer, headers=self.headers, text="upstream-secret")
        if isinstance(self.answer, str):
            return web.Response(text=self.answer)
        return web.json_response(self.answer)

    async def serve_file(self, _: web.Request) -> web.Response:
        return web.Response(body=self.file)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/images/generations", server.generations)
    app.router.add_get("/file.png", server.serve_file)
    app.router.add_get("/v1/models", server.serve_file)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


fetched: list[str] = []


async def fetch(url: str) -> bytes:
    fetched.append(url)
    if "[" in url:
        raise ValueError(url)
    return image("WEBP")


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[UpstreamImageEngine]:
    fetched.clear()
    deployment = UpstreamImagesDeployment(
        url=f"{server.url}/v1", model="flux", key="sk-x", slots=1, queue=1, silence_timeout=5
    )
    engine = UpstreamImageEngine("other", deployment, fetch)
    yield engine
    await engine.aclose()


async def test_an_openai_server_gets_what_it_knows(
    server: Server, engine: UpstreamImageEngine
) -> None:
    heard: list[int] = []
    assert await engine.generate(ASKED, heard.append) == [server.file, server.file]
    assert heard == [0, 10, 20]
    assert server.keys == ["Bearer sk-x"] * 2
    body = server.bodies[0]
    assert set(body) == {"model", "prompt", "size", "n", "response_format"}
    assert "一只白猫" in body["prompt"]
    assert "anime" in body["prompt"]
    assert (body["size"], body["n"], body["response_format"]) == ("64x64", 1, "b64_json")
    assert engine.served_by == "other/flux"
    assert "seed" in engine.abilities
    assert await engine.ready()


async def test_a_documented_server_gets_everything(server: Server) -> None:
    deployment = UpstreamImagesDeployment(
        url=f"{server.url}/v1", model="Stable-Diffusion-XL", dialect="documented"
    )
    engine = UpstreamImageEngine("other", deployment, fetch)
    await engine.generate(ASKED, lambda _: None)
    first, second = server.bodies
    assert first["prompt"] == "一只白猫"
    assert (first["negative_prompt"], first["steps"], first["style"]) == ("狗", 10, "Anime")
    assert (first["sampler_index"], first["cfg_scale"]) == ("Heun", 7.5)
    assert (first["seed"], second["seed"]) == (4294967295, 0)
    assert first["request_timeout"] == 600
    assert engine.abilities == {}
    assert not {"use_pe", "num_inference_steps", "guidance_scale"} & set(first)
    await engine.aclose()


async def test_a_model_s_parameters_go_out_under_its_own_names(server: Server) -> None:
    card = built(merged({}, later=True), Settings()).models["ERNIE-Image"]
    own = msgspec.structs.replace(ASKED, use_pe=False, parameters=card.parameters)
    deployment = UpstreamImagesDeployment(
        url=f"{server.url}/v1", model="ERNIE-Image", dialect="documented"
    )
    engine = UpstreamImageEngine("other", deployment, fetch)
    await engine.generate(own, lambda _: None)
    body = server.bodies[0]
    assert (body["num_inference_steps"], body["guidance_scale"]) == (10, 7.5)
    assert (body["use_pe"], body["negative_prompt"]) == (False, "狗")
    assert not {"steps", "cfg_scale", "sampler_index", "style"} & set(body)
    await engine.aclose()


async def test_its_own_urls_are_read_and_others_go_through_the_guard(
    server: Server, engine: UpstreamImageEngine
) -> None:
    server.answer = {"data": [{"url": f"{server.url}/file.png"}]}
    assert (await engine.generate(ASKED, lambda _: None))[0] == server.file
    assert fetched == []
    server.answer = {"data": [{"url": "https://cdn.example/x"}]}
    (made, _) = await engine.generate(ASKED, lambda _: None)
    assert fetched == ["https://cdn.example/x"] * 2
    assert made.startswith(b"\x89PNG")  # it was WebP


PLAIN = base64.b64encode(image()).decode()
DATA_URL = f"data:image/png;base64,{PLAIN}"
FORMS: list[Any] = [
    {"b64_json": PLAIN, "url": None, "revised_prompt": None},
    {"b64_json": DATA_URL},
    {"url": DATA_URL},
    {"b64_json": base64.encodebytes(image()).decode(), "url": ""},
]


@pytest.mark.parametrize("item", FORMS, ids=range(len(FORMS)))
async def test_forms_of_an_image(server: Server, engine: UpstreamImageEngine, item: Any) -> None:
    server.answer = "\ufeff" + json.dumps({"created": None, "data": [item]})
    assert await engine.generate(ASKED, lambda _: None) == [server.file, server.file]
    assert fetched == []


@pytest.mark.parametrize(
    ("code", "error"),
    [("moderation_blocked", ImageEngineRefused), ("insufficient_balance", ImageEngineIndebted)],
)
async def test_it_may_refuse_with_a_status_of_success(
    server: Server, engine: UpstreamImageEngine, code: str, error: type[ImageEngineError]
) -> None:
    server.answer = {"error": {"code": code, "message": "upstream-secret"}}
    with pytest.raises(error) as caught:
        await engine.generate(ASKED, lambda _: None)
    assert "upstream-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (500, ImageEngineAway),
        (400, ImageEngineUnavailable),
        (401, ImageEngineIndebted),
        (429, Busy),
        ("<html>", ImageEngineFailed),
        ({}, ImageEngineFailed),
        ({"data": []}, ImageEngineFailed),
        ({"data": [{}]}, ImageEngineFailed),
        ({"data": [{"b64_json": "!!!"}]}, ImageEngineFailed),
        ({"data": [{"b64_json": base64.b64encode(b"GIF89a").decode()}]}, ImageEngineFailed),
        ({"data": [{"b64_json": base64.b64encode(image()[:60]).decode()}]}, ImageEngineFailed),
        (
            {"data": [{"b64_json": base64.b64encode(image(size=(65, 64))).decode()}]},
            ImageEngineFailed,
        ),
        ({"data": [{"url": 5}]}, ImageEngineFailed),
        ({"data": [{"url": "http://[::1"}]}, ImageEngineFailed),
        ({"data": [{"b64_json": "QUFB" * 1_000_000}]}, ImageEngineFailed),
        ({"data": [{"b64_json": bomb()}]}, ImageEngineFailed),
        ("[" * 90_000, ImageEngineFailed),
        ('{"data": [{"b64_json": "\\ud800"}]}', ImageEngineFailed),
    ],
    ids=lambda case: str(case)[:40],
)
async def test_what_is_no_image_fails(
    server: Server, engine: UpstreamImageEngine, answer: Any, error: type[ImageEngineError]
) -> None:
    server.answer = answer
    with pytest.raises(error) as caught:
        await engine.generate(ASKED, lambda _: None)
    assert type(caught.value) is error
    assert "upstream-secret" not in str(caught.value)


async def test_it_says_when_to_come_again(server: Server, engine: UpstreamImageEngine) -> None:
    server.answer, server.headers = 429, {"Retry-After": "17"}
    with pytest.raises(Busy) as caught:
        await engine.generate(ASKED, lambda _: None)
    assert caught.value.retry_after == 17


async def test_a_full_queue_refuses_and_who_leaves_makes_room(
    server: Server, engine: UpstreamImageEngine
) -> None:
    server.seconds = 300
    two = [asyncio.create_task(engine.generate(ASKED, lambda _: None)) for _ in range(2)]
    async with asyncio.timeout(60):
        while not server.at_work:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with pytest.raises(Busy):
        await engine.generate(ASKED, lambda _: None)
    for task in two:
        task.cancel()
    await asyncio.gather(*two, return_exceptions=True)
    async with asyncio.timeout(60):
        while server.at_work:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    server.seconds = 0
    assert len(await engine.generate(ASKED, lambda _: None)) == 2


async def test_a_server_that_is_away_fails() -> None:
    deployment = UpstreamImagesDeployment(url="http://127.0.0.1:9/v1", model="x")
    engine = UpstreamImageEngine("other", deployment, fetch)
    with pytest.raises(ImageEngineFailed, match="could not be reached"):
        await engine.generate(ASKED, lambda _: None)
    assert not await engine.ready()
    await engine.aclose()


async def test_what_one_server_cannot_draw_another_does(server: Server) -> None:
    closed = "http://127.0.0.1:9/v1"
    for broken in (closed, f"{server.url}/nothing-is-here"):
        deployment = UpstreamImagesDeployment(urls=(broken, f"{server.url}/v1"), model="flux")
        engine = UpstreamImageEngine("pair", deployment, fetch)
        for _ in range(3):
            assert await engine.generate(ASKED, lambda _: None) == [server.file] * 2
        assert await engine.ready()
        await engine.aclose()
    gone = UpstreamImagesDeployment(urls=(closed, "http://127.0.0.1:19/v1"), model="flux")
    engine = UpstreamImageEngine("gone", gone, fetch)
    with pytest.raises(ImageEngineAway):
        await engine.generate(ASKED, lambda _: None)
    assert not await engine.ready()
    await engine.aclose()
