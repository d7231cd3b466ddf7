"""Search augmentation (section 5.4): a conversation in, the same with what was found out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from xinghe.core import Message, Source
from xinghe.generation.search.options import SearchOptions
from xinghe.generation.search.prompt import with_references, without_references
from xinghe.generation.search.query import Ask, planned_query
from xinghe.search import Measure, Reference, SearchFailed

Outcome = Literal["not_needed", "found", "empty", "failed"]


class Searches(Protocol):
    """`xinghe.search.Searcher`."""

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]: ...


class Augmented(msgspec.Struct, frozen=True):
    """What came of it.

    `messages` are what the model reads. `searches` is how many are billed: those that were
    answered, be it with nothing. `tokens` is what the search added to the prompt, by the caller's
    measure. `sources` are the public ones, by index from 1: only they may be cited or traced;
    `evidence` is what each of them says.
    """

    messages: tuple[Message, ...]
    outcome: Outcome
    searches: int = 0
    tokens: int = 0
    sources: tuple[Source, ...] = ()
    evidence: tuple[str, ...] = ()


async def augment(
    messages: Sequence[Message],
    options: SearchOptions,
    ask: Ask,
    searcher: Searches,
    *,
    budget: int,
    measure: Measure,
    words: Sequence[Message] | None = None,
    asks_to_cite: bool = True,
    begun: Callable[[], None] = lambda: None,
    today: datetime.date | None = None,
) -> Augmented:
    """Decide, search, and build the prompt; at most `budget` tokens of results go into it.

    `words` is the conversation without what pictures show: queries go to strangers, so no words
    of a picture are in them but those that the model chose. Without `asks_to_cite`, the model is
    not asked to write citations. `begun` is called when a search begins (`enable_status`). Raises
    nothing but cancellation and what `begun` raises: a search that fails or is slow costs no
    answer, `outcome` tells of it.
    """
    query = await planned_query(messages if words is None else words, ask, messages)
    if query is None:
        return Augmented(tuple(messages), "not_needed")
    today = today or datetime.datetime.now().astimezone().date()
    begun()
    try:
        references = await searcher.search(
            query,
            number=options.search_number,
            references=options.reference_number,
            budget=budget,
            measure=measure,
        )
    except SearchFailed:
        outcome: Outcome = "failed"
        references = []
    else:
        outcome = "found" if references else "empty"
    if references:
        built = with_references(
            messages, references, cite=options.citation and asks_to_cite, today=today
        )
    else:
        built = without_references(messages, today)
    public = [each for each in references if each.number is not None]
    return Augmented(
        messages=built,
        outcome=outcome,
        searches=int(outcome != "failed"),
        tokens=measure(built[-1].content) - measure(messages[-1].content),
        sources=tuple(
            Source(number, each.url, each.title) for number, each in enumerate(public, 1)
        ),
        evidence=tuple(f"{each.heading}\n{each.text}" for each in public),
    )
