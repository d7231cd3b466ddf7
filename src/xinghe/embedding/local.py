"""An embedder in a worker process, with dynamic batching across requests."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec
import structlog

from xinghe.catalog import Pooling
from xinghe.core import ACCOUNT, Busy
from xinghe.embedding.protocol import (
    Began,
    Embedder,
    EmbedderAway,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
)
from xinghe.outbound import RETRY_AFTER
from xinghe.workers import FairQueue, QueueFull, Worker, WorkerDied, WorkerFailure

log = structlog.get_logger(__name__)

MAX_BATCH = 16
"""Texts of a batch that is made of several requests: a long batch keeps those behind it waiting."""
BACKGROUND_BATCH = 1
"""Texts of a batch that nobody waits for: a request that comes meanwhile must wait for it."""
FIRST_GUESS = 0.02
"""Seconds a text, before one was measured."""
WEIGHT_OF_LAST = 0.2


class GgufSpec(msgspec.Struct, frozen=True):
    """What the worker of a GGUF file loads; `context` is the most tokens of a text."""

    weights: str
    context: int
    pooling: Pooling
    prefixes: dict[Form, str]


class EmbedRequest(msgspec.Struct, frozen=True, array_like=True):
    """The texts of one request; with `max_tokens` above 0 a longer text refuses them all."""

    texts: list[str]
    form: Form
    max_tokens: int


class TooLong(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What a `TextTooLong` says."""

    found: dict[int, int]


class Made(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The vectors of one request, as 32-bit floats."""

    vectors: list[bytes]


Batch = list[EmbedRequest]
Results = list[TooLong | Made]
"""One for each request of the batch."""


class _Job(msgspec.Struct, eq=False):
    request: EmbedRequest
    began: Began | None = None
    future: asyncio.Future[Made | TooLong] = msgspec.field(default_factory=asyncio.Future)


def _texts(job: _Job) -> int:
    """The queue counts in them."""
    return len(job.request.texts)


class LocalEmbedder(Embedder):
    """Whatever waits when the worker becomes free is its next batch: there is no timer.

    `queue` bounds the texts that wait, and half of it those of one account. A batch that kills the
    worker is tried again request by request, so that one poisonous text fails alone. The passages
    of a search index are made while no request waits.
    """

    resizable = False

    def __init__(
        self, worker: Worker[Results], served_by: str, dimensions: int, max_tokens: int, queue: int
    ) -> None:
        self._worker = worker
        self.served_by = served_by
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        share = max(1, queue // 2)
        self._jobs = FairQueue[_Job](most=queue, share=share, drop=self._drop, size=_texts)
        self._background: deque[_Job] = deque()
        self._seconds_a_text = FIRST_GUESS
        self._pump: asyncio.Task[None] | None = None

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Began | None = None,
    ) -> Vectors:
        assert dimensions in (None, self.dimensions)
        if not texts:
            return Vectors([])
        if self._worker.broken:  # whoever waited would wait for all its pauses
            self._worker.start()
            raise EmbedderAway(self.served_by, RETRY_AFTER)
        job, account = _Job(EmbedRequest(list(texts), form, max_tokens), began), ACCOUNT.get()
        try:
            self._jobs.put(account, job)
        except QueueFull as busy:
            raise self._busy(busy) from None
        try:
            return await self._made(job)
        finally:
            self._jobs.remove(account, job)  # its caller may have left

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        if kind == "query":
            return (await self.vectors(texts, kind)).data
        found: list[bytes] = []
        for at in range(0, len(texts), BACKGROUND_BATCH):
            job = _Job(EmbedRequest(list(texts[at : at + BACKGROUND_BATCH]), kind, 0))
            self._background.append(job)
            found += (await self._made(job)).data
        return found

    async def ready(self) -> bool:
        """It is started when it is first asked, and anew when it died."""
        return not self._worker.broken

    async def aclose(self) -> None:
        await self._worker.aclose()
        if self._pump is not None:
            await asyncio.wait((self._pump,))

    def _busy(self, busy: QueueFull) -> Busy:
        return Busy(str(busy), max(1.0, self._jobs.waiting * self._seconds_a_text))

    def _failure(self) -> EmbedderFailed:
        """Of what the worker did not do; one that does not even start is not there."""
        if self._worker.broken:
            return EmbedderAway(self.served_by, RETRY_AFTER)
        return EmbedderFailed(self.served_by)

    def _drop(self, job: _Job, busy: QueueFull) -> None:
        if not job.future.done():
            job.future.set_exception(self._busy(busy))

    async def _made(self, job: _Job) -> Vectors:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._work())
        match await job.future:
            case TooLong(found):
                raise TextTooLong(found, job.request.max_tokens)
            case Made(vectors):
                self.dimensions = len(vectors[0]) // 4
                return Vectors(vectors)

    async def _work(self) -> None:
        while batch := self._next_batch():
            if not await self._try(batch):
                for job in batch:
                    tried = not self._worker.broken and await self._try([job])
                    if not tried and not job.future.done():
                        job.future.set_exception(self._failure())

    def _next_batch(self) -> list[_Job]:
        batch: list[_Job] = []
        size = 0
        while found := self._jobs.next():
            _, job = found
            if batch and size + _texts(job) > MAX_BATCH:
                break
            self._jobs.take()
            if not job.future.done():  # else its caller has left
                batch.append(job)
                size += _texts(job)
                if job.began is not None:
                    job.began()
        while not batch and self._background:
            job = self._background.popleft()
            if not job.future.done():
                batch.append(job)
        return batch

    async def _try(self, batch: list[_Job]) -> bool:
        """Whether the worker answered; then the jobs have their results."""
        started = time.monotonic()
        try:
            results = await self._worker.call([job.request for job in batch])
            if len(results) != len(batch):
                raise WorkerDied(f"{len(results)} results for {len(batch)} requests")
        except (WorkerFailure, msgspec.DecodeError) as error:
            log.warning("embedding_failed", served_by=self.served_by, error=type(error).__name__)
            return False
        texts = sum(map(_texts, batch))
        taken = (time.monotonic() - started) / texts
        self._seconds_a_text += (taken - self._seconds_a_text) * WEIGHT_OF_LAST
        for job, result in zip(batch, results, strict=True):
            if not job.future.done():
                job.future.set_result(result)
        return True
