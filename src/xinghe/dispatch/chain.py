"""Who may serve one request: its model's own deployment, then those of its `fallback`, in order.

A request goes on where nothing of an answer has been sent and the one before could not serve it:
it is away, it failed, or it and its queue are full. What is wrong with the request itself (too
long, unsafe) is said by the first, and is a reason for nobody else to be asked.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from xinghe.core import Busy
from xinghe.dispatch.chat import Away, DispatchFailed, Interrupted, TooLong
from xinghe.embedding import EmbedderAway, EmbedderFailed, TextTooLong
from xinghe.images import ImageEngineAway, ImageEngineFailed, ImageEngineUnavailable
from xinghe.observe import metrics

log = structlog.get_logger(__name__)


class Unfit(Exception):
    """It cannot take this very request; the text is for the log."""


CANNOT_SERVE = (
    Busy,
    DispatchFailed,
    EmbedderFailed,
    ImageEngineFailed,
    ImageEngineUnavailable,
    TooLong,
    TextTooLong,
)
"""What a chain may be told of: anything else ends the request."""
_OF_THE_REQUEST = (TooLong, TextTooLong, Unfit)


class Member(Protocol):
    """One that may serve."""

    @property
    def served_by(self) -> str:
        """What really answers, as the header `x-served-by` tells it."""


M = TypeVar("M", bound=Member)


class Chain(Generic[M]):
    """Those that may serve a request to `model`, and which of them has it `now`."""

    def __init__(self, model: str, members: Sequence[M]) -> None:
        self.own, *others = members
        self.now = self.own
        self.has_others = bool(others)
        """Whether there is anybody but the model's own."""
        self._model = model
        self._others = others
        self._faults: list[Exception] = []
        self._again = False

    def after(self, fault: Exception, fits: Callable[[M], bool]) -> M:
        """Who has it next, of those that `fits` says can serve it.

        What broke off in the middle another replica of the same deployment may make, once. Where
        there is nobody, the fault is raised that tells soonest when to come again; and at once
        where it is the request that is wrong. A member that is too small for it is passed over.
        """
        if isinstance(fault, Interrupted) and not self._again:
            self._again = True
            return self.now
        if not isinstance(fault, _OF_THE_REQUEST):
            self._faults.append(fault)
        elif not self._faults:
            raise fault
        while self._others:
            following = self._others.pop(0)
            if fits(following):
                before, self.now = self.now, following
                self._tell(before, fault)
                return following
            log.info("passed_over", model=self._model, served_by=following.served_by)
        raise _most_hopeful(self._faults)

    def has_stand_in(self, fits: Callable[[M], bool]) -> bool:
        """Whether another could have it next."""
        return any(map(fits, self._others))

    def _tell(self, before: M, fault: Exception) -> None:
        names = before.served_by, self.now.served_by
        log.warning(
            "fell_back", model=self._model, before=names[0], to=names[1], why=type(fault).__name__
        )
        metrics.FALLBACKS.labels(self._model, *names).inc()


def _most_hopeful(faults: Sequence[Exception]) -> Exception:
    """A full one before one that is away, before one that failed: all may be well again soon."""
    for kind in (Busy, (Away, EmbedderAway, ImageEngineAway)):
        waits = {fault.retry_after: fault for fault in faults if isinstance(fault, kind)}
        if waits:
            return waits[min(waits)]
    return faults[0]
