"""One file over HTTP, resumed where an earlier run left off (RFC 9110, sections 13 and 14).

`model.gguf.part` holds the bytes, `model.gguf.part.json` what they are a part of.
"""

import asyncio
import re
from collections.abc import Mapping

import aiohttp
import msgspec
from yarl import URL

from xinghe.weights.index import MAGIC, SourceError, Weight
from xinghe.weights.progress import Progress
from xinghe.weights.sources import Fetched, sha256_of
from xinghe.weights.store import CachedWeight

CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 30.0
RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry of a connection that broke; any new byte starts the row afresh."""
CHUNK = 1024 * 1024
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class PartialFacts(msgspec.Struct, frozen=True):
    """What the bytes in the `.part` file are a part of; `url` is without user and password."""

    url: str
    etag: str | None
    total: int | None


class _BrokenError(Exception):
    """The connection or the server failed in a way that may pass."""


class HttpFile:
    """A file behind a URL; `headers` are for its server alone, not for where it redirects to."""

    def __init__(self, name: str, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._url = URL(url)
        self._headers = headers or {}
        self.origin = _origin(self._url)

    async def fetch(self, weight: Weight, cached: CachedWeight, progress: Progress) -> Fetched:
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=CONNECT_TIMEOUT,
            sock_connect=CONNECT_TIMEOUT,
            sock_read=READ_TIMEOUT,
        )
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=True, auto_decompress=False
        ) as session:
            download = _Download(session, self._url, self._headers, weight, cached, progress)
            resumed = cached.arrived > 0
            await download.run()
        progress.begin(f"checking {weight.file}", cached.arrived)
        sha256 = await sha256_of(cached.partial, progress)
        progress.end()
        return Fetched(cached.partial, sha256, resumed)


class _Download:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: Mapping[str, str],
        weight: Weight,
        cached: CachedWeight,
        progress: Progress,
    ) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._weight = weight
        self._cached = cached
        self._progress = progress
        self._facts = self._read_facts()
        # Where the hash is known, any source may go on from what is here, since the whole is
        # checked in the end; elsewhere only the same URL may.
        same = self._facts is not None and self._facts.url == _origin(url)
        if self._facts is None or not (weight.sha256 is not None or same):
            self._discard()

    async def run(self) -> None:
        """Get the rest of the file. Raises `SourceError`."""
        start, restarts = self._cached.arrived, 0
        delays = list(RETRY_DELAYS)
        while True:
            before = self._cached.arrived
            try:
                if await self._attempt():
                    return
                restarts += 1
                if restarts > 1:
                    raise SourceError("changes the file while it is fetched")
            except (aiohttp.ClientError, TimeoutError, _BrokenError) as error:
                reason = str(error) or type(error).__name__
                now = self._cached.arrived
                if now == start:
                    raise SourceError(reason) from error
                if now > before:
                    delays = list(RETRY_DELAYS)
                if not delays:
                    raise SourceError(f"{reason} (after {now} bytes, which are kept)") from error
                await asyncio.sleep(delays.pop(0))

    async def _attempt(self) -> bool:
        """One request; false if what is here had to be thrown away and the next must start anew."""
        offset = self._cached.arrived
        headers = {"Accept-Encoding": "identity", **self._headers}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if self._facts and self._facts.etag and self._facts.url == _origin(self._url):
                headers["If-Range"] = self._facts.etag
        async with self._session.get(self._url, headers=headers) as response:
            if response.status == 416 and _total_of(response) == offset:
                return True
            if response.status == 200:
                total, offset = response.content_length, 0
            elif response.status == 206 and self._fits(response, offset):
                total = _total_of(response)
            elif response.status in {206, 416} and offset:
                self._discard()
                return False
            else:
                raise _refusal(response)
            if total is not None and self._weight.size not in {None, total}:
                raise SourceError(f"offers {total} bytes, and should offer {self._weight.size}")
            if total is not None:
                self._cached.require_space(total - offset)
            self._facts = PartialFacts(_origin(self._url), _strong_etag(response), total)
            self._cached.partial_facts.write_bytes(msgspec.json.encode(self._facts))
            self._progress.begin(f"fetching {self._weight.file} ({self._url.host})", total)
            await self._receive(response, offset)
            self._progress.end()
        return True

    async def _receive(self, response: aiohttp.ClientResponse, offset: int) -> None:
        with self._cached.partial.open("ab") as file:
            file.truncate(offset)
            async for chunk in response.content.iter_chunked(CHUNK):
                if offset == 0 and not MAGIC.startswith(chunk[:4]) and chunk[:4] != MAGIC:
                    raise SourceError("answered with something that is not a GGUF file")
                file.write(chunk)
                offset += len(chunk)
                self._progress.at(offset)
                if self._weight.size is not None and offset > self._weight.size:
                    raise SourceError(f"sent more than the {self._weight.size} bytes of the file")

    def _fits(self, response: aiohttp.ClientResponse, offset: int) -> bool:
        """Whether a 206 is the rest of the file that is partly here."""
        known = self._weight.size or (self._facts.total if self._facts else None)
        total = _total_of(response)
        return _start_of(response) == offset and total is not None and known in {None, total}

    def _read_facts(self) -> PartialFacts | None:
        try:
            return msgspec.json.decode(self._cached.partial_facts.read_bytes(), type=PartialFacts)
        except (OSError, msgspec.MsgspecError):
            return None

    def _discard(self) -> None:
        self._facts = None
        self._cached.partial.unlink(missing_ok=True)
        self._cached.partial_facts.unlink(missing_ok=True)


def _origin(url: URL) -> str:
    return str(url.with_user(None))


def _refusal(response: aiohttp.ClientResponse) -> Exception:
    answer = f"HTTP {response.status} {response.reason}"
    passing = response.status == TOO_MANY_REQUESTS or response.status >= SERVER_ERROR
    return _BrokenError(answer) if passing else SourceError(answer)


def _strong_etag(response: aiohttp.ClientResponse) -> str | None:
    # If-Range takes strong validators only.
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _total_of(response: aiohttp.ClientResponse) -> int | None:
    match = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _start_of(response: aiohttp.ClientResponse) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None
