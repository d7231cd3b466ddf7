"""What the service does again and again while it runs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Regular:
    """Does `work` now and again, with `seconds` between two rounds: one that fails is not the last.

    `trouble` is the log's event of a round that failed. Errors of the kinds `expected` are told in
    a word, any other with its traceback.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[object] | None],
        seconds: float,
        trouble: str,
        *expected: type[Exception],
    ) -> None:
        self._work = work
        self._seconds = seconds
        self._trouble = trouble
        self._expected = expected
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with a round now; where it has begun, nothing changes."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Break off the round that is under way, and do no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            try:
                begun = self._work()
                if begun is not None:
                    await begun
            except self._expected as error:
                log.warning(self._trouble, error=str(error))
            except Exception:
                log.exception(self._trouble)
            await asyncio.sleep(self._seconds)
