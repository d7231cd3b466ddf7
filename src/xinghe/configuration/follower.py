"""Has a gateway serve by the applied version, whoever applied it, within half a second."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol

import structlog

from xinghe.catalog import CatalogError
from xinghe.configuration.configurations import Changed, Configurations
from xinghe.configuration.files import Found
from xinghe.configuration.tables import Version
from xinghe.regular import Regular
from xinghe.storage import StorageError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
"""Between two looks into the database."""
FILES_SECONDS = 2 * LOOK_SECONDS
"""Between two looks at the files; to read one may take longer, and versions are followed
meanwhile."""
AGAIN_SECONDS = 30.0
"""After which what could not be applied or imported is tried again: what it needs may be there."""
REACH_SECONDS = 20.0
"""For which whoever has changed something waits until it is served by."""


class Applies(Protocol):
    """What serves by a version; `xinghe.app` gives it."""

    async def apply(self, version: Version) -> None:
        """Serve by this version from now on. Whatever it raises leaves the last one in force."""


class Follower:
    """Looks for newer versions, and for edited files, and reports how it goes.

    `version` is the number that this process was brought to, 0 before the first; `failed` the one
    that it could not be brought to, with the reason in `trouble`.
    """

    def __init__(self, configurations: Configurations, live: Applies) -> None:
        self.configurations = configurations
        self.version = 0
        self.failed = 0
        self.trouble = ""
        self.file_troubles: dict[str, str] = {}
        self._looking = Regular(self._look, LOOK_SECONDS, "configuration_not_followed")
        self._filing = Regular(self._look_at_files, FILES_SECONDS, "files_not_looked_at")
        self._reaching: set[asyncio.Task[str]] = set()
        self._live = live
        self._turn = asyncio.Lock()
        self._failed_at = 0.0
        self._found: Found | None = None
        self._import_due = True
        self._imported_at = 0.0
        self._examined = 0
        """The version that the files were last compared with."""
        self._reported: tuple[int, str] | None = None
        self._away = False

    async def start(self) -> None:
        """Begin to look."""
        await self._looking.start()
        await self._filing.start()

    async def stop(self) -> None:
        """Look no more, and break off what is being applied."""
        await self._filing.stop()
        await self._looking.stop()
        for each in self._reaching:
            each.cancel()
        if self._reaching:
            await asyncio.wait(self._reaching)

    async def begin(self, version: Version) -> None:
        """Serve by what a start has found, which may be older than the applied version."""
        async with self._turn:
            await self._serve_by(version)

    async def reach(self, number: int) -> str:
        """Serve by a version now, or by a newer one. Returns why not, or nothing.

        To be cancelled while waiting does not stop it.
        """
        reaching = asyncio.create_task(self._reach(number))
        self._reaching.add(reaching)
        reaching.add_done_callback(self._reaching.discard)
        done, _ = await asyncio.wait({reaching}, timeout=REACH_SECONDS)
        return reaching.result() if done else f"version {number} is still being applied"

    async def _reach(self, number: int) -> str:
        async with self._turn:
            due = number != self.failed or time.monotonic() - self._failed_at >= AGAIN_SECONDS
            try:
                if number > self.version and due:
                    await self._serve_by(await self.configurations.current())
            except StorageError as error:
                return str(error)
            return self.trouble if number > self.version else ""

    async def _look(self) -> None:
        try:
            newest = await self.configurations.newest()
            if newest > self.version:
                await self.reach(newest)
            await self._report()
        except StorageError as error:
            if not self._away:
                log.warning("configuration_not_looked_up", error=str(error))
            self._away = True
            return
        self._away = False

    async def _look_at_files(self) -> None:
        found = await asyncio.to_thread(self.configurations.files.changed)
        if found is not None:
            self._found, self._import_due = found, True
        # Logged by the look for versions, or nothing to log; the import stays due.
        with suppress(StorageError, Changed):
            await self._import()

    async def _import(self) -> None:
        if not (self._import_due or await self._may_be_mended()):
            return
        made = await self.configurations.import_files(self._found)
        self._import_due, self._examined = False, made.version.number
        self._imported_at = time.monotonic()
        for name, why in made.troubles.items():
            if self.file_troubles.get(name) != why:
                log.error("configuration_not_imported", file=name, why=why)
        self.file_troubles = made.troubles

    async def _may_be_mended(self) -> bool:
        """Whether what stood in a file's way may be gone: with another version, or a model file
        that was missing.
        """
        if not self.file_troubles:
            return False
        waited = time.monotonic() - self._imported_at
        return waited >= AGAIN_SECONDS or await self.configurations.newest() != self._examined

    async def _serve_by(self, version: Version) -> None:
        try:
            await self._live.apply(version)
        except Exception as error:
            self.failed, self.trouble = version.number, str(error)
            self._failed_at = time.monotonic()
            known = isinstance(error, CatalogError | OSError)
            log.error(
                "configuration_not_applied",
                version=version.number,
                error=str(error),
                exc_info=None if known else error,
            )
            return
        log.info("configuration_applied", version=version.number, author=version.author)
        self.version, self.failed, self.trouble = version.number, 0, ""

    async def _report(self) -> None:
        """Keep how it is, for those who ask elsewhere: only when it has changed."""
        troubles = [f"version {self.failed}: {self.trouble}"] if self.failed else []
        troubles += [f"{name}: {why}" for name, why in self.file_troubles.items()]
        state = self.version, "\n".join(troubles)
        if state != self._reported:
            await self.configurations.report(*state)
            self._reported = state
