"""The whole service with its images in a bucket: served, expired, and a bucket that is away."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from tests.conftest import QUICK
from tests.images.s3 import KEY, SECRET, FakeS3, serving
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.raw import Connection, Reply
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEEP = 4
"""Seconds that an image is served: enough to look at it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bucket() -> AsyncIterator[FakeS3]:
    async with serving() as fake:
        yield fake


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    bucket: FakeS3, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    given = {"ENDPOINT": bucket.url, "BUCKET": "pictures", "KEY": KEY, "SECRET": SECRET}
    settings = {f"XINGHE_IMAGES__S3_{name}": value for name, value in given.items()}
    settings["XINGHE_IMAGES__KEEP"] = str(KEEP)
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    server = Server(tmp_path_factory.mktemp("s3"), models=models, settings={**QUICK, **settings})
    # In a thread, as all that waits for the service: the bucket answers in this one.
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(server: Server) -> Api:
    return Api(server.url, await asyncio.to_thread(server.token))


async def draw(api: Api) -> Reply:
    body = {"model": "Stable-Diffusion-XL", "prompt": "猫", "size": "768x768", "n": 2}
    return await asyncio.to_thread(api.post, "/images/generations", body)


async def got(server: Server, url: str, method: str = "GET") -> Reply:
    def asking() -> Reply:
        with Connection(server.url) as connection:
            connection.request(method, url.removeprefix(server.url))
            return connection.reply()

    return await asyncio.to_thread(asking)


async def fails(server: Server, api: Api) -> Reply:
    """A request that cannot keep its images: our fault, and free."""
    reply = await draw(api)
    refused(reply, 500, "Internal_error", "internal_error", reply.json["id"])
    await asyncio.to_thread(Books(server).free, reply.json["id"])
    return reply


async def test_images_are_served_out_of_the_bucket_until_they_expire(
    bucket: FakeS3, server: Server, api: Api
) -> None:
    bucket.objects.clear()
    began = time.time()
    urls = [each["url"] for each in answered(await draw(api))["data"]]
    keys = [f"pictures/images/{url.rsplit('/', 1)[1]}" for url in urls]
    assert sorted(bucket.objects) == sorted(keys)
    for url, key in zip(urls, keys, strict=True):
        assert bucket.types[key] == "image/png"
        reply = await got(server, url)
        assert (reply.status, reply.body) == (200, bucket.objects[key])
        assert Image.open(io.BytesIO(reply.body), formats=["PNG"]).size == (768, 768)
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["x-content-type-options"] == "nosniff"
        kept = re.fullmatch(r"public, max-age=(\d+), immutable", reply.headers["cache-control"])
        assert kept
        assert int(kept[1]) <= KEEP
        head = await got(server, url, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(reply.body))
    while bucket.objects:
        assert time.time() < began + KEEP + 60
        await asyncio.sleep(0.1)
    # Not before its time; names count whole seconds.
    assert time.time() > began + KEEP - 1
    for url in urls:
        gone = await got(server, url)
        refused(gone, 404, "invalid_request_error", "no_such_path", "expired")


async def test_a_bucket_that_takes_one_of_two_keeps_neither(
    bucket: FakeS3, server: Server, api: Api
) -> None:
    bucket.objects.clear()
    bucket.most = 1
    try:
        await fails(server, api)
    finally:
        bucket.most = 1000
    assert bucket.objects == {}


async def test_a_bucket_that_is_away_is_our_fault_and_free(
    bucket: FakeS3, server: Server, api: Api
) -> None:
    url = answered(await draw(api))["data"][0]["url"]
    await bucket.stop()
    try:
        kept = await got(server, url)
        reply = await fails(server, api)
    finally:
        await bucket.start()
    refused(kept, 500, "Internal_error", "internal_error")
    assert bucket.url not in reply.text + kept.text
    answered(await draw(api))
    log = server.log.read_text("utf-8")
    assert "the bucket: it could not be reached" in log
    assert "Traceback" not in log
    assert SECRET not in log
