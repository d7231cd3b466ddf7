"""A small S3 for the tests: it checks signatures by the text of the standard, not by our code."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

KEY, SECRET = "AKIAEXAMPLE", "a secret/+key"
PAGE = 3


class FakeS3:
    """Objects by bucket and key, and the types they were sent with; `asked` what was asked for.

    It takes `most` objects. Once stopped nothing answers at its `url`, until it starts again.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.asked: list[str] = []
        self.most = 1000
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{key:.*}", self.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def handle(self, request: web.Request) -> web.Response:
        raw = request.raw_path
        self.asked.append(f"{request.method} {raw}")
        body = await request.read()
        if not genuine(request, body):
            return web.Response(status=403)
        key = unquote(raw.split("?")[0]).lstrip("/")
        if request.query.get("list-type") == "2":
            return self.listed(key, request)
        match request.method:
            case "PUT":
                return self.put(key, body, request.content_type)
            case "GET" if key in self.objects:
                return web.Response(body=self.objects[key])
            case "DELETE":
                self.objects.pop(key, None)
                return web.Response(status=204)
            case _:
                return web.Response(status=404)

    def put(self, key: str, body: bytes, kind: str) -> web.Response:
        if len(self.objects) >= self.most:
            return web.Response(status=507)
        self.objects[key], self.types[key] = body, kind
        return web.Response()

    def listed(self, bucket: str, request: web.Request) -> web.Response:
        found = sorted(key.split("/", 1)[1] for key in self.objects if key.startswith(bucket + "/"))
        found = [key for key in found if key.startswith(request.query["prefix"])]
        after = request.query.get("continuation-token", "")
        found = [key for key in found if key > after]
        keys = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in found[:PAGE])
        more = len(found) > PAGE
        token = (
            f"<NextContinuationToken>{escape(found[PAGE - 1])}</NextContinuationToken>"
            if more
            else ""
        )
        xml = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{keys}{token}</ListBucketResult>"
        )
        return web.Response(text=xml, content_type="application/xml")


def genuine(request: web.Request, body: bytes) -> bool:
    """Whether the request carries the right signature of `SECRET`."""
    header = request.headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ")
    fields = dict(part.strip().split("=", 1) for part in header.split(","))
    key, day, region, service, end = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    path, _, query = request.raw_path.partition("?")
    digest = hashlib.sha256(body).hexdigest()
    canonical = [request.method, path, "&".join(sorted(query.split("&"))) if query else ""]
    canonical += [f"{name}:{request.headers[name]}" for name in names] + ["", ";".join(names)]
    canonical.append(digest)
    stamp = request.headers["x-amz-date"]
    to_sign = ["AWS4-HMAC-SHA256", stamp, f"{day}/{region}/{service}/{end}"]
    to_sign.append(hashlib.sha256("\n".join(canonical).encode()).hexdigest())
    secret = ("AWS4" + SECRET).encode()
    for part in (day, region, service, end, "\n".join(to_sign)):
        secret = hmac.new(secret, part.encode(), "sha256").digest()
    return (
        key == KEY
        and stamp.startswith(day)
        and {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names)
        and request.headers["x-amz-content-sha256"] == digest
        and hmac.compare_digest(secret.hex(), fields["Signature"])
    )


@asynccontextmanager
async def serving() -> AsyncIterator[FakeS3]:
    fake = FakeS3()
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()
