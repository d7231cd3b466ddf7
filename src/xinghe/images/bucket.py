"""Images in a bucket of any S3-compatible service; the bucket itself may stay private."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

import msgspec

from xinghe.images.store import Opened, StoreError, made_at
from xinghe.outbound import CallFailed, Client, Refused
from xinghe.settings import Images

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

CONNECT_TIMEOUT, SILENCE_TIMEOUT = 5.0, 30.0
"""Seconds."""
MOST_ANSWERED = 64 * 1024 * 1024
"""Bytes of an image, or of a list."""
NOT_FOUND = 404
ALGORITHM = "AWS4-HMAC-SHA256"


class Bucket:
    """Objects under the prefix, addressed by path (`<endpoint>/<bucket>/<key>`)."""

    def __init__(self, settings: Images, environ: Mapping[str, str] = os.environ) -> None:
        parts = urlsplit(settings.s3_endpoint)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._root = f"{parts.path.rstrip('/')}/{settings.s3_bucket}"
        self._prefix = settings.s3_prefix
        self._credentials = Credentials(
            settings.s3_key or environ.get(settings.s3_key_env, ""),
            settings.s3_secret or environ.get(settings.s3_secret_env, ""),
            settings.s3_region,
        )
        self._client = Client(CONNECT_TIMEOUT, SILENCE_TIMEOUT, success=range(200, 300))

    async def write(self, name: str, data: bytes) -> None:
        with _as_store_error():
            await self._ask(
                "PUT", self._key(name), body=data, headers={"content-type": "image/png"}
            )

    async def read(self, name: str) -> Opened | None:
        with _as_store_error():
            try:
                data = await self._ask("GET", self._key(name))
            except Refused as refused:
                if refused.status == NOT_FOUND:
                    return None
                raise
        return Opened(len(data), _Once(data))

    async def names(self) -> list[str]:
        found: list[str] = []
        query = {"list-type": "2", "prefix": self._prefix}
        while True:
            with _as_store_error():
                tree = _parsed(await self._ask("GET", self._root, query))
            space = tree.tag.removesuffix("ListBucketResult")
            keys = [each.text or "" for each in tree.iter(f"{space}Key")]
            names = [key.removeprefix(self._prefix) for key in keys]
            found += [name for name in names if made_at(name) is not None]
            more = tree.findtext(f"{space}NextContinuationToken")
            if not more:
                return found
            query["continuation-token"] = more

    async def remove(self, name: str) -> None:
        with _as_store_error():
            try:
                await self._ask("DELETE", self._key(name))
            except Refused as refused:
                if refused.status != NOT_FOUND:
                    raise

    async def aclose(self) -> None:
        await self._client.aclose()

    def _key(self, name: str) -> str:
        return f"{self._root}/{self._prefix}{name}"

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        query = query or {}
        sent = signed(
            self._credentials, method, self._host, path, query, body, datetime.now(UTC), headers
        )
        # Encoded by us: what is signed must be what is sent.
        url = f"{self._origin}{quote(path)}{'?' if query else ''}{_encoded(query)}"
        return await self._client.fetch(
            method, url, headers=sent, body=body or None, most=MOST_ANSWERED
        )


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except CallFailed as error:
        raise StoreError(f"the bucket: {error}") from None


def _parsed(data: bytes) -> ET.Element:
    import xml.etree.ElementTree as ET  # noqa: PLC0415 - most services have no bucket

    try:
        return ET.fromstring(data)  # noqa: S314 - the operator's own service
    except ET.ParseError as error:
        raise StoreError("the bucket's list is not XML") from error


class _Once:
    """One piece. No generator: a reader that leaves would leave it to the garbage collector."""

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data, self._data = self._data, None
        if data is None:
            raise StopAsyncIteration
        return data


class Credentials(msgspec.Struct, frozen=True):
    """Who signs, and for which region."""

    key: str
    secret: str
    region: str


def signed(
    credentials: Credentials,
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    body: bytes,
    at: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers to send: `headers` (names in lower case), and those of the signature.

    As "Authenticating Requests (AWS Signature Version 4)" has it.

    `path` is not yet percent-encoded; `at` is in UTC.
    """
    payload = hashlib.sha256(body).hexdigest()
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    sent = {**(headers or {}), "host": host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
    request = "\n".join((method, quote(path), _encoded(query), lines, names, payload))
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    text = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return {
        **sent,
        "authorization": f"{ALGORITHM} Credential={credentials.key}/{scope},"
        f"SignedHeaders={names},Signature={_hmac(key, text).hex()}",
    }


def _encoded(query: Mapping[str, str]) -> str:
    """The query string in the one form that is signed: sorted, and all but `-._~` quoted."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
