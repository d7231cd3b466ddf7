"""An embedder in a worker process, with dynamic batching across requests."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import structlog

from xinghe.core import ACCOUNT
from xinghe.embedding.messages import Made, Results, Task, TooLong
from xinghe.embedding.protocol import (
    EmbedderBusy,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
)
from xinghe.embedding.similarity import similarity
from xinghe.embedding.turns import Turns
from xinghe.workers import Worker, WorkerDied, WorkerFailure

log = structlog.get_logger(__name__)

MAX_BATCH = 16
"""Texts of a batch that is made of several requests: a long batch keeps those behind it waiting."""
BACKGROUND_BATCH = 1
"""Texts of a batch that nobody waits for: a request that comes meanwhile must wait for it."""
FIRST_GUESS = 0.02
"""Seconds a text, before one was measured."""
WEIGHT_OF_LAST = 0.2


class _Job:
    __slots__ = ("began", "future", "task")

    def __init__(self, task: Task, began: Callable[[], None]) -> None:
        self.task = task
        self.began = began
        self.future: asyncio.Future[Made | TooLong] = asyncio.get_running_loop().create_future()

    @property
    def texts(self) -> int:
        return len(self.task.texts)


class LocalEmbedder:
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
        self._served_by = served_by
        self._dimensions = dimensions
        self._max_tokens = max_tokens
        self._jobs: Turns[_Job] = Turns(queue)
        self._background: Turns[_Job] = Turns(0)
        self._seconds_a_text = FIRST_GUESS
        self._pump: asyncio.Task[None] | None = None

    @property
    def served_by(self) -> str:
        return self._served_by

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

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
        began: Callable[[], None] = lambda: None,
    ) -> Vectors:
        assert dimensions in (None, self._dimensions)
        if not texts:
            return Vectors([])
        if not self._jobs.has_room(ACCOUNT.get(), len(texts)):
            wait = self._jobs.texts * self._seconds_a_text
            raise EmbedderBusy(f"{self._jobs.texts} texts are waiting", max(1.0, wait))
        return await self._made(_Job(Task(list(texts), form, max_tokens), began), self._jobs)

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> list[list[float]]:
        if kind == "query":
            return (await self.vectors(texts, kind)).floats()
        found: list[list[float]] = []
        for at in range(0, len(texts), BACKGROUND_BATCH):
            task = Task(list(texts[at : at + BACKGROUND_BATCH]), kind, 0)
            found += (await self._made(_Job(task, lambda: None), self._background)).floats()
        return found

    async def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        max_tokens: int = 0,
        began: Callable[[], None] = lambda: None,
    ) -> list[float]:
        asked = await self.vectors([query], "query", max_tokens=max_tokens, began=began)
        try:
            found = await self.vectors(documents, "passage", max_tokens=max_tokens)
        except TextTooLong as error:
            raise TextTooLong(error.index + 1, error.tokens, error.limit) from None
        return [similarity(asked.data[0], each) for each in found.data]

    async def ready(self) -> bool:
        """It is started when it is first asked, and anew when it died."""
        return True

    async def aclose(self) -> None:
        await self._worker.aclose()
        if self._pump is not None:
            await asyncio.wait((self._pump,))

    async def _made(self, job: _Job, queue: Turns[_Job]) -> Vectors:
        account = ACCOUNT.get()
        queue.put(account, job)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._work())
        try:
            made = await job.future
        finally:
            queue.remove(account, job)  # its caller may have left
        match made:
            case TooLong(index, tokens):
                raise TextTooLong(index, tokens, job.task.max_tokens)
            case Made(vectors):
                self._dimensions = len(vectors[0]) // 4
                return Vectors(vectors)

    async def _work(self) -> None:
        while batch := self._next_batch():
            if not await self._try(batch):
                for job in batch:
                    if not await self._try([job]) and not job.future.done():
                        job.future.set_exception(EmbedderFailed(self._served_by))

    def _next_batch(self) -> list[_Job]:
        batch: list[_Job] = []
        size = 0
        while job := self._jobs.take(MAX_BATCH - size if batch else sys.maxsize):
            if not job.future.done():  # else its caller has left
                batch.append(job)
                size += job.texts
                job.began()
        while not batch and (job := self._background.take(sys.maxsize)):
            if not job.future.done():
                batch.append(job)
        return batch

    async def _try(self, batch: list[_Job]) -> bool:
        """Whether the worker answered; then the jobs have their results."""
        started = time.monotonic()
        try:
            results = await self._worker.call([job.task for job in batch])
            if len(results) != len(batch):
                raise WorkerDied(f"{len(results)} results for {len(batch)} requests")
        except (WorkerFailure, msgspec.DecodeError) as error:
            log.warning("embedding_failed", served_by=self._served_by, error=type(error).__name__)
            return False
        texts = sum(job.texts for job in batch)
        taken = (time.monotonic() - started) / texts
        self._seconds_a_text += (taken - self._seconds_a_text) * WEIGHT_OF_LAST
        for job, result in zip(batch, results, strict=True):
            if not job.future.done():
                job.future.set_result(result)
        return True
