"""A model's look at an answer (`[safety.upstream]`), before it leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from xinghe.core import Delta, FinishDelta, TextDelta
from xinghe.engines.protocol import Batch
from xinghe.generation.gate import filtered
from xinghe.safety import Moderator, Reviewer


async def reviewed(batches: AsyncGenerator[Batch], moderator: Moderator) -> AsyncGenerator[Batch]:
    """The same batches, their text held back until the model has cleared it.

    What passed the `Gate` has met the lexicon; this asks the operator's moderation model too.
    """
    async with aclosing(batches):
        if not moderator.asks_of_answers:
            async for batch in batches:
                yield batch
            return
        reviewer = moderator.reviewer()
        try:
            async for batch in batches:
                shown = await _cleared(batch.deltas, reviewer)
                if shown:
                    yield Batch(batch.arrived, shown)
                    if isinstance(shown[-1], FinishDelta):
                        return
        finally:
            reviewer.close()


async def _cleared(deltas: list[Delta], reviewer: Reviewer) -> list[Delta]:
    """What of a batch may be shown; a finding ends it."""
    shown: list[Delta] = []
    for delta in deltas:
        if isinstance(delta, TextDelta):
            visible, verdict = await reviewer.feed(delta.text)
        elif isinstance(delta, FinishDelta):
            visible, verdict = await reviewer.flush()
        else:
            shown.append(delta)
            continue
        if visible:
            shown.append(TextDelta(visible, 0))
        if verdict is not None:
            return [*shown, filtered(verdict)]
        if isinstance(delta, FinishDelta):
            shown.append(delta)
    return shown
