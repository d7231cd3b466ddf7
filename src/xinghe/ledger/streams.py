"""The streams that run in this process: what is noted of each in case that the process dies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import msgspec

from xinghe.core import Meter
from xinghe.ledger import holds
from xinghe.ledger.usage import Usage
from xinghe.storage import Database


class Streams:
    """Takes checkpoints of the streams that it was told of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[str, _Stream] = {}
        self._waiting: dict[str, _Stream] = {}
        """Those that were not seen to have started."""

    def add(self, hold: holds.Hold, meter: Meter) -> None:
        self._running[hold.id] = self._waiting[hold.id] = _Stream(hold, meter)

    def remove(self, hold_id: str) -> None:
        """Forget a stream; other holds are none of ours."""
        self._running.pop(hold_id, None)
        self._waiting.pop(hold_id, None)

    def note_starts(self) -> None:
        """Queue a note of each stream that has started since the last look."""
        self._note(self._waiting.values())

    def note_all(self) -> None:
        """Queue a note of what each has used, for those where that changed."""
        self._note(self._running.values())

    def _note(self, streams: Iterable[_Stream]) -> None:
        # While the database is away the notes would only pile up; the next one holds it all.
        if not self._database.healthy:
            return
        changed = []
        for stream in streams:
            usage = stream.usage()
            if usage is not None and usage != stream.noted:
                stream.noted = usage
                changed.append((stream.hold_id, usage))
        for hold_id, _ in changed:
            self._waiting.pop(hold_id, None)
        if changed:
            self._database.enqueue(partial(holds.checkpoint, counts=changed))


class _Stream:
    """A running stream and the last checkpoint that was queued for it (None: none yet)."""

    def __init__(self, hold: holds.Hold, meter: Meter) -> None:
        self.hold_id = hold.id
        self.noted: Usage | None = None
        self._meter = meter
        self._estimate = hold.prompt_tokens

    def usage(self) -> Usage | None:
        """What is owed so far; None while nothing is."""
        meter = self._meter
        if not meter.owes:
            return None
        usage = Usage.of(meter)
        if meter.started and not usage.prompt:
            # Until the meter knows the prompt, the reservation's count of it stands.
            return msgspec.structs.replace(usage, prompt=self._estimate)
        return usage
