"""Pieces of tool calls as servers send them, each led to its call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from xinghe.core import ToolCallDelta
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE, decoded, items

MOST_CALLS = 128
"""Of one event."""
MOST_CHARACTERS = 8192
"""Of one delta: a longer text is cut, so that nothing after it holds the gateway up."""
CHARACTERS_A_TOKEN, CHARACTERS_BESIDES = 32, 16_384
"""The most of calls' arguments that one token brings, over the whole of an answer, and beside."""
NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = NULL


class _Piece(msgspec.Struct):
    index: Any = None
    id: Any = None
    function: _Function | None = None


class _Call(msgspec.Struct, eq=False):
    """A call that has begun."""

    number: int
    length: int = 0
    pieces: list[str] = []
    """Of its arguments, only while they are short: longer ones are not asked for completeness."""

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def take(self, arguments: str) -> None:
        self.length += len(arguments)
        if self.length <= MOST_CHARACTERS:
            self.pieces.append(arguments)

    @property
    def is_complete(self) -> bool:
        if not 0 < self.length <= MOST_CHARACTERS:
            return False
        try:
            return isinstance(msgspec.json.decode(self.arguments), dict)
        except UNREADABLE:
            return False


class Calls(msgspec.Struct):
    """The calls of one answer.

    A known id belongs to its call; a new id with a name, or a name behind complete arguments,
    opens a new one; without both the current one goes on, or the one of its index where that
    one is not complete. Servers leave indexes out, say 0 for each, or count in two ways.
    """

    max_tokens: int
    characters: int = 0
    by_id: dict[str, _Call] = {}
    by_index: dict[int, _Call] = {}
    current: _Call | None = None
    count: int = 0

    def deltas(self, raw: msgspec.Raw) -> Iterator[ToolCallDelta]:
        """What the value of `tool_calls` says. Raises `EngineFailed`, `Unreadable`."""
        if bytes(raw)[:1] == b"{":
            raw = msgspec.Raw(b"[" + bytes(raw) + b"]")
        for piece in items(raw, _Piece, MOST_CALLS):
            function = piece.function or _Function()
            arguments = _text(function.arguments)
            self.characters += len(arguments)
            if self.characters > CHARACTERS_A_TOKEN * self.max_tokens + CHARACTERS_BESIDES:
                raise EngineFailed("the arguments are longer than its tokens can be")
            id_ = piece.id if isinstance(piece.id, str) else ""
            name = function.name or ""
            index = piece.index if isinstance(piece.index, int) else None
            call = self._call(index, id_, name, arguments)
            if call is None:
                continue
            head = arguments[:MOST_CHARACTERS]
            call.take(arguments)
            self.current = call
            yield ToolCallDelta(call.number, id_ or None, name or None, head, tokens=1)
            for at in range(MOST_CHARACTERS, len(arguments), MOST_CHARACTERS):
                yield ToolCallDelta(call.number, arguments=arguments[at : at + MOST_CHARACTERS])

    def _call(self, index: int | None, id_: str, name: str, arguments: str) -> _Call | None:
        """The call that a piece belongs to; `None` for one that only says it all once more."""
        call = self.by_id.get(id_) if id_ else None
        if call is not None:
            if not (name and call.is_complete):
                return call
            return None if arguments == call.arguments else self._new(index, id_)
        current = self.current
        indexed = None if index is None else self.by_index.get(index)
        if current is None or (name and (id_ or (index is not None and indexed is None))):
            return self._new(index, id_)
        if name and (indexed or current).is_complete:
            return self._new(index, id_)
        if indexed is None or (indexed is not current and indexed.is_complete):
            indexed = current
        if id_:
            self.by_id[id_] = indexed
        return indexed

    def _new(self, index: int | None, id_: str) -> _Call:
        call = _Call(self.count)
        self.count += 1
        if id_:
            self.by_id[id_] = call
        if index is not None:
            self.by_index[index] = call
        return call


def _text(raw: msgspec.Raw) -> str:
    """Arguments as text; some servers send the object itself."""
    match bytes(raw)[:1]:
        case b'"':
            return decoded(raw, str)
        case b"{":
            return bytes(raw).decode()
    return ""
