"""Several chats as one `priced.Work`: prepared one by one, held and charged as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from xinghe.api.chat.work import ChatWork, Sink
from xinghe.api.priced import Prepared
from xinghe.catalog import ModelCard
from xinghe.core import Usage
from xinghe.engines import Batch
from xinghe.generation.choices import at_once, counted

MakeChat = Callable[[Sink, Usage], ChatWork]


class Together(msgspec.Struct, eq=False):
    """The chats of one request; the answers of each are numbered behind those of the one before.

    Where one fails, all do: there is one charge, for all of them.
    """

    chats: Sequence[ChatWork]
    usage: Usage
    card: ModelCard
    counts: tuple[str, ...]
    stream: bool
    tokens: int
    _numbered: Sequence[tuple[ChatWork, int]]
    """Whose each answer is, and its number there."""
    _counting: Counting

    @classmethod
    def of(cls, sink: Sink, usage: Usage, made: Sequence[MakeChat]) -> Together:
        counting, chats = Counting(), list[ChatWork]()
        for make in made:
            first = sum(each.n for each in chats)
            chats.append(make(_Part(sink, first, counting), Usage()))
        numbered = [(each, number) for each in chats for number in range(each.n)]
        one, tokens = chats[0], sum(each.tokens for each in chats)
        return cls(chats, usage, one.card, one.counts, one.stream, tokens, numbered, counting)

    @property
    def used(self) -> int:
        return sum(each.used for each in self.chats)

    @property
    def by_own(self) -> bool:
        return all(each.by_own for each in self.chats)

    async def prepare(self) -> Prepared[list[Batch]]:
        """What is unsafe is answered as such, and costs nothing beside the others."""
        prepared = [await each.prepare() for each in self.chats]
        for chat, each in zip(self.chats, prepared, strict=True):
            chat.usage.finished = each.amount is None
        amounts = [each.amount for each in prepared if each.amount is not None]
        return Prepared(
            partial(self._run, prepared),
            sum(amounts) if amounts else None,
            sum(each.prompt_tokens for each in prepared),
        )

    def show(self, choice: int, batch: Batch) -> None:
        """Emit a batch of the answer of this number."""
        chat, number = self._numbered[choice]
        chat.show(number, batch)

    async def _run(self, prepared: Sequence[Prepared[list[Batch]]]) -> list[Batch]:
        """Make the answers, but for the last batch of each: the embedded engine one by one."""
        with counted([each.usage for each in self.chats], self.usage) as count:
            self._counting.count = count
            if any(each.in_turn for each in self.chats):
                lasts = [await each.run() for each in prepared]
            else:
                lasts = await at_once([_made(each) for each in prepared])
        times = [each.usage.first for each in self.chats if each.usage.first]
        self.usage.first = min(times, default=0.0)
        return [last for each in lasts for last in each]


class Counting(msgspec.Struct, eq=False):
    """Brings the usage of all up to date; set once they are being made."""

    count: Callable[[], None] = lambda: None


class _Part:
    """Where the answers of one of the chats go."""

    def __init__(self, sink: Sink, first: int, counting: Counting) -> None:
        self.begin, self.tell = sink.begin, sink.tell
        self._sink = sink
        self._first = first
        self._counting = counting

    def emit(self, choice: int, batch: Batch) -> None:
        self._counting.count()
        self._sink.emit(self._first + choice, batch)

    def forget(self, choices: Sequence[int], usage: Usage) -> bool:
        return self._sink.forget([self._first + each for each in choices], usage)


async def _made(prepared: Prepared[list[Batch]]) -> list[Batch]:
    return await prepared.run()
