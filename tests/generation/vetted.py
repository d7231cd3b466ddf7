"""Vetted forms and functions for tests of one room: the worker's own code, in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from xinghe.core import Message, ToolUse
from xinghe.generation import tools
from xinghe.generation.structure import structured
from xinghe.generation.structure.canonical import validator
from xinghe.generation.structure.strict import checker
from xinghe.generation.tools import ToolPlan, arguments_fault
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.generation.vetting.walks import Walks
from xinghe.generation.vetting.wire import Walk


class Here:
    """Validates and follows without a worker."""

    def __init__(self) -> None:
        self._walks = Walks()

    async def validate(
        self, schema: bytes, text: str, _account: str, *, arguments: bool
    ) -> str | None:
        check = checker(validator(json.loads(schema)))
        return arguments_fault(check, text) if arguments else check(text)

    async def walk(self, key: str, grammar: str, start: int, text: bytes, _account: str) -> bool:
        known = max(0, self._walks.walk(Walk(key, start, text[start:], grammar)).known)
        return self._walks.walk(Walk(key, known, text[known:], grammar)).kept


def form(schema: Any = None, *, max_tokens: int) -> VettedForm:
    made = structured(schema, max_tokens=max_tokens)
    text = json.dumps({"type": "object"} if schema is None else schema).encode()
    return VettedForm(made.constraint, made.hint, text, "a", Here())


def functions(use: ToolUse, *, max_tokens: int) -> VettedTools:
    return VettedTools(use, tools.decide(use, max_tokens=max_tokens), "a", Here())


def plan(messages: Sequence[Message], use: ToolUse, *, max_tokens: int) -> ToolPlan:
    return tools.plan(messages, use, tools.decide(use, max_tokens=max_tokens))


async def check_call(use: ToolUse, name: str, arguments: str) -> str | None:
    return await VettedTools(use, None, "a", Here()).check(name, arguments)
