"""Tool calls on their way out: read from constrained text, or checked if the engine made them."""

import secrets
import string
from collections.abc import Collection
from typing import Literal

import msgspec
from msgspec.structs import replace

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta, ToolCallDelta
from xinghe.engines import MOST_TEXT
from xinghe.engines.calls import settled
from xinghe.generation.json_check import InvalidOutput
from xinghe.generation.tools.prompt import END, GAP
from xinghe.generation.vetting import VettedTools

ALPHABET = string.ascii_lowercase + string.digits
ID_LENGTH = 24


def call_id() -> str:
    """`call_` and 24 random characters of [a-z0-9]: 124 bits, unique without a register."""
    return "call_" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


class ToolCallParser(msgspec.Struct):
    """The processor that turns the platform's own form of calls into deltas, wherever it is cut.

    `names` are the functions that may be called. What does not keep to the notation is text, which
    does not leave: a reply is said by a pass of its own, in the request's manner. A call that the
    length cut off has as much of its arguments as came.
    """

    names: Collection[str]
    calls: int = 0
    place: Literal["line", "arguments", "text"] = "line"
    held: str = ""
    """What may be the beginning of a name."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, _):
                    while text:
                        text = self._step(text, out)
                case FinishDelta(FinishReason.NORMAL) if self.calls:
                    out.append(replace(delta, reason=FinishReason.FUNCTION_CALL))
                case _:
                    out.append(delta)
        return out

    def _step(self, text: str, out: list[Delta]) -> str:
        """Take the beginning of `text`; returns what is left of it."""
        if self.place == "text":
            return ""
        if self.place == "arguments":
            here, end, rest = text.partition(END)
            if here:
                out.append(ToolCallDelta(self.calls - 1, arguments=here))
            if end:
                self.place = "line"
            return rest
        line, self.held = self.held + text, ""
        for name in self.names:
            if line.startswith(name + GAP):
                out.append(ToolCallDelta(self.calls, call_id(), name))
                self.calls += 1
                self.place = "arguments"
                return line[len(name + GAP) :]
        if any((name + GAP).startswith(line) for name in self.names):
            self.held = line
        else:
            self.place = "text"
        return ""


class ToolCallCheck(msgspec.Struct):
    """The processor that lets an engine's own calls pass once each is whole and valid.

    Raises `InvalidOutput` for a call of an unknown function, arguments that do not validate, or no
    call where one was required. Where calls may not be parallel, only the first leaves. A call
    that was cut off by the answer's length does not leave.
    """

    tools: VettedTools
    calls: dict[int, ToolCallDelta] = {}
    pieces: dict[int, list[str]] = {}
    """Of each call's arguments."""
    held: list[Delta] = []
    """Text before a call that is required: it leaves with the call or not at all."""

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            match delta:
                case ToolCallDelta():
                    self._gather(delta)
                case FinishDelta():
                    out += await self._end(delta)
                case TextDelta() if self.tools.use.choice == "required":
                    self.held.append(delta)
                case _:
                    out.append(delta)
        return out

    def _gather(self, delta: ToolCallDelta) -> None:
        known = self.calls.get(delta.index)
        self.pieces.setdefault(delta.index, []).append(delta.arguments)
        if known is None:
            self.calls[delta.index] = delta
            return
        self.calls[delta.index] = replace(
            known, id=known.id or delta.id, name=known.name or delta.name
        )

    async def _end(self, finish: FinishDelta) -> list[Delta]:
        ended = finish.reason in {FinishReason.NORMAL, FinishReason.FUNCTION_CALL}
        # Without arguments, a function is called with none; unless they were cut off.
        none = "{}" if ended else ""
        calls = [
            replace(call, arguments=settled(self.pieces[index]) or none)
            for index, call in sorted(self.calls.items())
            if call.name or any(self.pieces[index])
        ]
        if self.tools.use.parallel is False:
            calls = calls[:1]
        # What is wrong quotes the call, so no log may hold it.
        wrong = [each for each in calls if await self.tools.check(each.name or "", each.arguments)]
        if ended and (wrong or (not calls and self.tools.use.choice == "required")):
            raise InvalidOutput
        calls = [call for call in calls if call not in wrong]
        if ended:
            reason = FinishReason.FUNCTION_CALL if calls else FinishReason.NORMAL
            finish = replace(finish, reason=reason)
        return [*self.held, *_renumbered(calls), finish]


def _renumbered(calls: list[ToolCallDelta]) -> list[Delta]:
    """The calls from index 0, each with an id that no other has, its name before its arguments,
    and these in pieces: together they would hold up all others.
    """
    out: list[Delta] = []
    seen: set[str] = set()
    for index, call in enumerate(calls):
        own_id = call.id if call.id and call.id not in seen else call_id()
        seen.add(own_id)
        out.append(ToolCallDelta(index, own_id, call.name))
        pieces = range(0, len(call.arguments) or 1, MOST_TEXT)
        out += [
            ToolCallDelta(index, arguments=call.arguments[at : at + MOST_TEXT]) for at in pieces
        ]
    return out
