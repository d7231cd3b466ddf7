"""Pieces of tool calls as servers send them, each led to its call."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from xinghe.core import ToolCallDelta
from xinghe.engines.fields import NULL, says_nothing
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE, decoded, items

MOST_CALLS = 128
"""Of one event."""
MOST_CHARACTERS = 8192
"""Of one delta: a longer text is cut, so that nothing after it holds the gateway up."""
CHARACTERS_A_TOKEN, CHARACTERS_BESIDES = 32, 16_384
"""The most of calls' arguments that one token brings, over the whole of an answer, and beside."""
MOST_AGAIN = 4
"""How often one text may say the arguments once more: each time what is left is copied."""
MOST_ESCAPED = 4096
"""Texts of arguments that may hold bare line breaks, as models write them."""
_scan = json.JSONDecoder(strict=False).raw_decode
_CLOSING = '"}] \n'
_CONTROLS = {chr(at): json.dumps(chr(at))[1:-1] for at in range(32)}
_BARE = re.compile(
    r"""((?:[^"]++|"(?:[^"\\\x00-\x1f]++|\\.)*+")*+)("(?:[^"\\]++|\\.)*+")?""", re.DOTALL
)
"""Of what is JSON, up to the next text that holds a bare control character, and that text."""


class _Function(msgspec.Struct):
    name: Any = None
    arguments: msgspec.Raw = NULL


class _Piece(msgspec.Struct):
    index: Any = None
    id: Any = None
    function: msgspec.Raw = NULL


class _Call(msgspec.Struct, eq=False):
    """A call that has begun."""

    number: int
    index: int | None
    name: str = ""
    length: int = 0
    arguments: str = ""
    """Only while they are short: longer ones are not asked for completeness."""
    verdict: bool | None = False
    """On what they are so far; `None` where it is not yet known, as each piece may ask for it."""

    def take(self, arguments: str) -> None:
        self.length += len(arguments)
        if self.length > MOST_CHARACTERS:
            self.verdict = False
        elif arguments:
            self.arguments += arguments
            self.verdict = None

    @property
    def is_complete(self) -> bool:
        if self.verdict is None:
            self.verdict = _is_object(self.arguments)
        return self.verdict


Said = tuple[int | None, str, str, str]
"""The index, id, name and arguments of a piece, each as far as it is told."""


class Calls(msgspec.Struct):
    """The calls of one answer.

    A known id belongs to its call; a new id with a name, another name, or a name behind complete
    arguments, opens a new one; without these the current one goes on, or the one of its index
    where that one is not complete. Servers leave indexes out, say 0 for each, or count in two ways.
    """

    max_tokens: int
    characters: int = 0
    by_id: dict[str, _Call] = {}
    by_index: dict[int | None, _Call] = {}
    current: _Call | None = None
    count: int = 0

    def deltas(self, pieces: Iterable[Said]) -> Iterator[ToolCallDelta]:
        """What the next pieces say. Raises `EngineFailed`."""
        for index, id_, name, arguments in pieces:
            self.characters += len(arguments)
            if self.characters > CHARACTERS_A_TOKEN * self.max_tokens + CHARACTERS_BESIDES:
                raise EngineFailed("the arguments are longer than its tokens can be")
            call = self._call(index, id_, name, arguments)
            if call is None:
                continue
            head = arguments[:MOST_CHARACTERS]
            call.take(arguments)
            call.name = call.name or name
            self.current = call
            yield ToolCallDelta(call.number, id_ or None, name or None, head, tokens=1)
            for at in range(MOST_CHARACTERS, len(arguments), MOST_CHARACTERS):
                yield ToolCallDelta(call.number, arguments=arguments[at : at + MOST_CHARACTERS])

    @property
    def ends_complete(self) -> bool:
        """Whether the call that was spoken of last is whole."""
        return self.current is not None and self.current.is_complete

    def _call(self, index: int | None, id_: str, name: str, arguments: str) -> _Call | None:
        """The call that a piece belongs to; `None` for one that adds nothing to it."""
        known = self.by_id.get(id_) if id_ else None
        if known is not None:
            return self._known(known, index, id_, name, arguments)
        if not (id_ or name or arguments):
            return None
        current, indexed = self.current, self.by_index.get(index)
        unknown = index is not None and indexed is None
        if current is None or (name and (id_ or unknown)):
            return self._new(index, id_)
        if id_ and not name:  # its name comes later; or each piece has an id of its own
            begins = arguments.lstrip()[:1] == "{" and current.is_complete
            if (begins and current.arguments != "{}") or (unknown and not arguments):
                return self._new(index, id_)
        of = indexed or current
        if name and of.name and (name != of.name or of.is_complete):
            return self._new(index, id_)
        if indexed is None or (indexed is not current and indexed.is_complete):
            indexed = current
        if id_:
            self.by_id[id_] = indexed
        return indexed

    def _known(
        self, call: _Call, index: int | None, id_: str, name: str, arguments: str
    ) -> _Call | None:
        """The call of a piece that has the id of one: that one, or another under the same id."""
        if name and call.name not in {"", name}:
            named = self.by_index.get(index)
            if named is None or named.name != name:
                return self._new(index, id_)
            call = named
        if not (name and call.name and call.is_complete):
            return call
        if index not in {None, call.index}:
            return self._new(index, id_)
        if not arguments.strip() or unwrapped(arguments) == call.arguments:
            return None  # it only says it once more
        # An object without fields may be no more than what opens the arguments.
        return call if call.arguments == "{}" else self._new(index, id_)

    def _new(self, index: int | None, id_: str) -> _Call:
        call = _Call(self.count, index)
        self.count += 1
        if id_:
            self.by_id[id_] = call
        if index is not None:
            self.by_index[index] = call
        return call


def pieces_of(raw: msgspec.Raw) -> list[Said]:
    """The pieces that the value of `tool_calls` holds. Raises `Unreadable`."""
    if bytes(raw)[:1] == b"{":
        raw = msgspec.Raw(b"[" + bytes(raw) + b"]")
    return [_said(piece) for piece in items(raw, _Piece, MOST_CALLS)]


def _said(piece: _Piece) -> Said:
    has_function = bytes(piece.function)[:1] == b"{"
    function = decoded(piece.function, _Function) if has_function else _Function()
    return (
        _index_of(piece.index),
        piece.id if isinstance(piece.id, str) else "",
        function.name if isinstance(function.name, str) else "",
        _arguments_of(function.arguments),
    )


def _index_of(said: Any) -> int | None:
    if isinstance(said, str | float):
        text = str(said).removesuffix(".0")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    return said if type(said) is int else None


def _arguments_of(raw: msgspec.Raw) -> str:
    """Arguments as text; some servers send the object itself. What is neither is for the check."""
    first = bytes(raw)[:1]
    if first == b'"':
        return decoded(raw, str)
    return "" if first != b"{" and says_nothing(raw) else bytes(raw).decode()


def unwrapped(arguments: str) -> str:
    """An object that is JSON inside of a JSON text, as that object; anything else as it is."""
    if arguments[:1] == '"' and arguments[-2:] == '}"':
        try:
            return msgspec.json.decode(arguments, type=str)
        except UNREADABLE:
            pass
    return arguments


def settled(pieces: Sequence[str]) -> str:
    """The arguments that their pieces amount to.

    Some servers say with each piece all that was said so far, some say all of it again at the end
    (behind a part or the whole, at times as JSON inside of a JSON text), some begin with an object
    without fields, and some close once too often.
    """
    arguments = unwrapped(_gathered(pieces))
    for _ in range(MOST_AGAIN):
        if _is_object(arguments):
            break
        try:
            first, end = _scan(arguments)
        except json.JSONDecodeError as error:
            first, end = None, error.pos  # no JSON goes on so
        except (ValueError, RecursionError):
            break
        said, rest = arguments[:end], unwrapped(arguments[end:].strip())
        if isinstance(first, dict) and not rest.strip(_CLOSING):
            return said if _is_object(said) else _escaped(said)
        if not said or not (first == {} or rest.startswith(said)):
            break
        arguments = rest
    arguments = unwrapped(arguments)
    return "" if arguments in {"null", '""'} else arguments


def _gathered(pieces: Sequence[str]) -> str:
    """All pieces; only those that do not say what came before once more, where these are enough."""
    arguments, so_far = "".join(pieces).strip(), ""
    if _is_object(arguments):
        return arguments
    for piece in pieces:
        if so_far.isspace() or piece.startswith(so_far):
            so_far = piece
        else:
            so_far += piece
    return so_far.strip() if _is_object(so_far) else arguments


def _escaped(said: str) -> str:
    """The same JSON, without bare line breaks within its texts: all else of it is kept."""
    held = [(bare, escape) for bare, escape in _CONTROLS.items() if bare in said]

    def mend(found: re.Match[str]) -> str:
        text = found[2] or ""
        for bare, escape in held:
            text = text.replace(bare, escape)
        return found[1] + text

    return _BARE.sub(mend, said, MOST_ESCAPED)


class _Object(msgspec.Struct):
    """Any object: nothing of it is built."""


_object = msgspec.json.Decoder(_Object).decode


def _is_object(arguments: str) -> bool:
    try:
        _object(arguments)
    except UNREADABLE:
        return False
    return True
