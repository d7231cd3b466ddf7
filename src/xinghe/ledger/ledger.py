"""The ledger as the API uses it: one context manager around the work of a request."""

import asyncio
import secrets
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog

from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import expiry, holds, processes, reaper, spans
from xinghe.ledger.budgets import Budget
from xinghe.ledger.holding import Holding, InsufficientTokens, RunningHolds
from xinghe.ledger.holds import Unsettled
from xinghe.ledger.owners import Owner
from xinghe.ledger.settlements import Settlements
from xinghe.regular import Regular
from xinghe.storage import Database, Locks, StorageError, now

START_SECONDS = 0.1
"""How soon it is noted that a stream has started: until then, our own crash makes it free."""
CHECKPOINT_SECONDS = 1.0
REAP_SECONDS = 5.0
START_REAP_SECONDS = 10.0
"""How long a start waits for what the dead left; the rest is settled beside the requests."""
SWEEP_SECONDS = 60.0
CLOSE_SECONDS = 60.0
SECURE_SECONDS = 0.1
"""How often it is looked whether the journal has to take a settlement or a checkpoint."""
UNSETTLED_SECONDS = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class Payer(Protocol):
    """Who asks, and what pays: the first of the wallets that covers a request.

    `accounts.Principal` is one.
    """

    @property
    def member_id(self) -> int: ...
    @property
    def token_id(self) -> int: ...
    @property
    def wallets(self) -> tuple[int, ...]: ...
    @property
    def budgets(self) -> tuple[Budget, ...]: ...


class Ledger:
    """Reserves before the work, settles after it, and settles for processes that died."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.owner: Owner
        """Whose the holds are that are opened now; from `start` on."""
        self._fenced: list[Owner] = []
        """What this process was before it was taken for dead, while it has settlements to write."""
        self.gateways = 1
        """How many processes lived on this database at the last look, this one among them."""
        self._reaping = asyncio.Lock()
        self._running = RunningHolds(database)
        self._settlements = Settlements(database)
        note_starts = partial(self._running.note, self._running.unstarted)
        trouble = "regular_task_failed", StorageError, OSError
        self._regular = [
            Regular(self._settlements.secure, SECURE_SECONDS, *trouble),
            Regular(self._running.secure, SECURE_SECONDS, *trouble),
            Regular(note_starts, START_SECONDS, *trouble),
            Regular(self.checkpoint, CHECKPOINT_SECONDS, *trouble),
            Regular(self.reap, REAP_SECONDS, *trouble),
            Regular(self.sweep, SWEEP_SECONDS, *trouble),
            Regular(self.close_hours, CLOSE_SECONDS, *trouble),
        ]
        if database.shared:
            self._regular.append(Regular(self._beat, processes.BEAT_SECONDS, *trouble))

    async def start(self) -> None:
        """Become an owner of holds, settle for the dead, begin the regular tasks.

        Raises `StorageError` or `OSError`.
        """
        await self._appear()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(START_REAP_SECONDS):
                    await self.reap()
        except BaseException:
            self.owner.release()
            raise
        for each in self._regular:
            await each.start()

    async def stop(self) -> None:
        """End the tasks, wait for what is queued, let go of the file. Then close the database.

        The file goes last: without it, another process may settle what is still open. What could
        not be written stays in it.
        """
        for each in self._regular:
            await each.stop()
        try:
            self.checkpoint()
            await self._database.drain()
            self._settlements.secure(linger=0)
            if self._database.shared and self.owner.journal.idle:
                with suppress(StorageError):
                    await self._database.write(partial(processes.leave, boot_id=self.owner.boot_id))
        finally:
            for owner in (*self._fenced, self.owner):
                await asyncio.to_thread(owner.release)

    async def _appear(self) -> None:
        """Raises `StorageError` or `OSError`."""
        owner = await asyncio.to_thread(Owner, self._database.directory)
        try:
            if self._database.shared:
                await self._database.write(partial(processes.register, boot_id=owner.boot_id))
        except BaseException:
            owner.release()
            raise
        self.owner = owner

    async def _beat(self) -> None:
        """Renew this process's row; go on as another process where it was fenced."""
        owner = self.owner
        alive = await self._database.write(partial(processes.beat, boot_id=owner.boot_id))
        self.gateways = len(alive)
        if owner.boot_id not in alive:
            log.error("taken_for_dead", owner=owner.boot_id)
            try:
                await self._appear()
                self._fenced.append(owner)
            finally:
                self._running.end(owner)
        for each in [each for each in self._fenced if each.journal.idle]:
            self._fenced.remove(each)
            await asyncio.to_thread(each.release)

    def hold(
        self,
        principal: Payer,
        *,
        request_id: str,
        model: str,
        rate: Rate,
        amount: int,
        prompt_tokens: int,
        stream: bool,
        usage: Usage,
    ) -> Holding:
        """Reserve `amount` micro-Tokens on entry, settle by the usage on exit.

        On exit, whatever the reason: a usage that is `finished` is captured. If the client left
        (`CancelledError`, `ClientGone`), what was used is captured once the usage `owes` anything.
        In every other case the hold is released. Entry raises `InsufficientTokens`,
        `OverBudget` or `StorageError`, and then nothing stays reserved.
        """
        if amount < 0 or prompt_tokens < 0:
            raise ValueError(f"amount {amount} and prompt_tokens {prompt_tokens} must be >= 0")
        at = now()
        hold = holds.Hold(
            id=f"{at:014x}{secrets.token_hex(8)}",
            member_id=principal.member_id,
            token_id=principal.token_id,
            wallets=principal.wallets,
            budgets=tuple(each for each in principal.budgets if each.model in (None, model)),
            request_id=request_id,
            model=model,
            amount=amount,
            owner=self.owner.boot_id,
            stream=stream,
            prompt_tokens=prompt_tokens,
            rate=rate,
            created_at=at,
        )
        counted = tuple(budget.id for budget in hold.budgets)
        locks = Locks(hold.member_id, hold.wallets, counted)
        return Holding(
            self._running, self._settlements, self._database, self.owner, hold, usage, locks
        )

    async def cover(self, principal: Payer, model: str, amount: int) -> None:
        """Raise `InsufficientTokens` where no wallet has `amount` micro-Tokens for a model.

        A look before costly work; it reserves nothing.
        """
        at = now()
        available = await self._database.read(
            lambda c: max(
                holds.available(c, wallet, model, amount, at) for wallet in principal.wallets
            )
        )
        if available < amount:
            raise InsufficientTokens(available, amount)

    async def leads(self) -> bool:
        """Whether this process, of all on its database, does what one of them shall do.

        Raises `StorageError`.
        """
        if not self._database.shared:
            return True
        boot_id = self.owner.boot_id
        return await self._database.read(partial(processes.leads, boot_id=boot_id))

    async def unsettled(self) -> Unsettled:
        """How many holds are open in the whole database, and since when. Raises `StorageError`."""
        return await self._database.read(holds.unsettled, within=UNSETTLED_SECONDS)

    def checkpoint(self) -> None:
        """Queue a note of what each running stream has used, for those where that changed."""
        self._running.note(self._running.streams)

    async def reap(self) -> int:
        """Settle the open holds of dead processes; returns how many. See `reaper.reap`."""
        async with self._reaping:
            return await reaper.reap(self._database, self.owner.boot_id)

    async def sweep(self) -> int:
        """Expire the lots of all wallets that are due; returns the micro-Tokens swept."""
        return await expiry.sweep(self._database)

    async def close_hours(self) -> None:
        """Have the coarser sums hold what has ended. Raises `StorageError`."""
        while not await self._database.write(lambda c: spans.close(c, now()), idle=True):
            pass
