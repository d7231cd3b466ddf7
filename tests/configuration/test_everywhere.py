"""The whole service: whoever changes the configuration, the next request has it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.kit.api import Api
from tests.kit.command import xinghe
from tests.kit.expect import answered
from tests.kit.gateway import Gateway, gateway
from tests.kit.pace import allowed
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

V3 = "deepseek-v3"
MODELS = """
[deployments.scripted]
engine = "upstream"
url = "{url}"
model = "m"
key = "sk-in-the-file"
context = 131072

[defaults]
deployment = "scripted"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    data: Path = tmp_path_factory.mktemp("everywhere")
    async with gateway(data, MODELS.format(url=upstream.url)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(service: Gateway) -> Api:
    token = await asyncio.to_thread(
        xinghe, "token", "create", "--scope", "admin", data=service.data
    )
    return service.api.bearing(token).at("/admin/v1")


async def sent(api: Api, method: str, path: str, body: Any = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    reply = await asyncio.to_thread(api.send, method, path, data)
    answer: dict[str, Any] = json.loads(reply.body)
    assert reply.status == 200, answer
    return answer


async def rpm(service: Gateway) -> int:
    shown = await asyncio.to_thread(service.api.get, f"/models/{V3}")
    limit: int = shown.json["xinghe"]["rpm"]
    return limit


async def seconds_until_rpm(service: Gateway, wanted: int) -> float:
    begin = time.monotonic()
    while await rpm(service) != wanted:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.02)
    return time.monotonic() - begin


async def test_by_api(service: Gateway, operator: Api) -> None:
    for limit in (41, 42):
        made = await sent(operator, "PATCH", "/config", {"patch": {"models": {V3: {"rpm": limit}}}})
        assert made["trouble"] is None
        assert await rpm(service) == limit


async def test_by_command(service: Gateway) -> None:
    shown = await asyncio.to_thread(xinghe, "config", "show", data=service.data)
    assert "sk-in-the-file" not in shown
    file = service.data / "new.toml"
    file.write_text(shown.replace("rpm = 42", "rpm = 43"), "utf-8")
    await asyncio.to_thread(xinghe, "config", "apply", str(file), data=service.data)
    assert await seconds_until_rpm(service, 43) < allowed(0.5)


async def test_by_file(service: Gateway, upstream: Upstream) -> None:
    text = MODELS.format(url=upstream.url) + "[limits]\nqps = 99.5\n"
    (service.data / "models.toml").write_text(text, "utf-8")
    begin = time.monotonic()
    while service.system.live.now.catalog.limits.qps != 99.5:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.01)
    assert time.monotonic() - begin < allowed(1.0)
    assert await rpm(service) == 43  # which the API had changed


async def test_a_list_by_api(service: Gateway, operator: Api) -> None:
    said = [{"role": "user", "content": "说说紫色飞艇计划"}]

    async def flag() -> int:
        reply = await asyncio.to_thread(lambda: service.api.chat(model=V3, messages=said))
        found: int = answered(reply)["choices"][0]["flag"]
        return found

    assert await flag() == 0
    patch = {"safety": {"lists": {"own.txt": "紫色飞艇计划\t2\n"}}}
    await sent(operator, "PATCH", "/config", {"patch": patch})
    assert await flag() == 2
    await sent(operator, "PATCH", "/config", {"patch": {"safety": None}})
    assert await flag() == 0


async def test_what_cannot_be_applied_changes_nothing(service: Gateway, operator: Api) -> None:
    before = (await sent(operator, "GET", "/config"))["version"]
    patch = {
        "deployments": {"gone": {"engine": "llamacpp", "weights": "/nowhere/m.gguf"}},
        "models": {V3: {"deployment": "gone", "rpm": 44}},
    }
    body = json.dumps({"patch": patch}).encode()
    refused = await asyncio.to_thread(operator.send, "PATCH", "/config", body)
    assert refused.status == 400
    assert "deployments.gone: `weights`: there is no file /nowhere/m.gguf" in str(refused.json)
    assert (await sent(operator, "GET", "/config"))["version"] == before
    assert await rpm(service) == 43


async def test_a_conflict_is_told_where_operators_look(
    service: Gateway, operator: Api, upstream: Upstream
) -> None:
    text = MODELS.format(url=upstream.url) + f"[limits]\nqps = 99.5\n[models.{V3}]\nrpm = 45\n"
    (service.data / "models.toml").write_text(text, "utf-8")
    begin = time.monotonic()
    told = f"models.{V3}.rpm: the file says 45"
    # That of another test's version may still stand there.
    while not any(
        told in each for each in (await sent(operator, "GET", "/config"))["gateways"][0]["trouble"]
    ):
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.05)
    assert await rpm(service) == 43
    await sent(operator, "PATCH", "/config", {"patch": {"models": {V3: {"rpm": 45}}}})
    while (await sent(operator, "GET", "/config"))["gateways"][0]["trouble"]:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.05)
