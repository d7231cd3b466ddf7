"""Vetted forms and functions for tests of generation: the worker's own code, in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from xinghe.core import Message, ToolUse
from xinghe.generation import tools
from xinghe.generation.structure.structure import checker, structured
from xinghe.generation.tools import ToolPlan
from xinghe.generation.tools.grammar import decide, declared
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.generation.vetting.child import Walks
from xinghe.generation.vetting.wire import Walk


class Here:
    """Follows without a worker."""

    def __init__(self) -> None:
        self._walks = Walks()

    async def walk(self, key: str, grammar: str, start: int, text: bytes, _account: str) -> bool:
        known = max(0, self._walks.walk(Walk(key, start, text[start:], grammar)).known)
        return self._walks.walk(Walk(key, known, text[known:], grammar)).kept


def form(schema: Any = None, *, max_tokens: int) -> VettedForm:
    made = structured(schema, max_tokens=max_tokens)

    async def check(text: str) -> str | None:
        return made.check(text)

    return VettedForm(made.constraint, made.hint, check, made.exact)


def functions(use: ToolUse, *, max_tokens: int) -> VettedTools:
    return VettedTools(use, decide(use, max_tokens=max_tokens), _fault)


async def _fault(schema: bytes, arguments: str) -> str | None:
    return checker(declared(json.loads(schema)), arguments=True)(arguments)


def plan(messages: Sequence[Message], use: ToolUse, *, max_tokens: int) -> ToolPlan:
    return tools.plan(messages, use, decide(use, max_tokens=max_tokens))


async def check_call(use: ToolUse, name: str, arguments: str) -> str | None:
    return await VettedTools(use, None, _fault).check(name, arguments)
