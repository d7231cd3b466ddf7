"""The requests that wait for an embedder: accounts take turns, and none takes all of the room."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """A request of some texts."""

    @property
    def texts(self) -> int: ...


Job = TypeVar("Job", bound=Sized)


class Turns(Generic[Job]):
    """Up to `room` texts wait in all, and up to half of it of one account.

    A single request may be larger where nothing waits. The service's own requests, which are of
    no account, have all of the room.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._turns: OrderedDict[str, deque[Job]] = OrderedDict()
        self.texts = 0
        """That wait."""

    def has_room(self, account: str, texts: int) -> bool:
        if not self.texts:
            return True
        if self.texts + texts > self._room:
            return False
        own = sum(job.texts for job in self._turns.get(account, ()))
        return not account or not own or own + texts <= max(1, self._room // 2)

    def put(self, account: str, job: Job) -> None:
        self._turns.setdefault(account, deque()).append(job)
        self.texts += job.texts

    def take(self, most: int) -> Job | None:
        """The request whose turn it is, if it has at most that many texts."""
        account = next(iter(self._turns), None)
        if account is None or self._turns[account][0].texts > most:
            return None
        own = self._turns.pop(account)
        job = own.popleft()
        if own:
            self._turns[account] = own  # behind all others
        self.texts -= job.texts
        return job

    def remove(self, account: str, job: Job) -> None:
        """Forget a request, if it still waits."""
        own = self._turns.get(account)
        if own is None or job not in own:
            return
        own.remove(job)
        self.texts -= job.texts
        if not own:
            del self._turns[account]
