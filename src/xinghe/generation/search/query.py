"""What to search for: the question itself, or what a model makes of it and the conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from xinghe.core import Constraint, Message
from xinghe.generation.search.rules import need
from xinghe.search.neutral import neutral

log = structlog.get_logger(__name__)

MAX_QUERY = 100
"""Characters."""
QUERY_TOKENS = 96
"""What the planning pass may generate."""
HISTORY_CHARACTERS = 300
"""Of each earlier message that planning reads: prefill is what it costs."""

_SCHEMA = {
    "type": "object",
    "properties": {
        "search": {"type": "boolean"},
        "query": {"type": "string", "maxLength": MAX_QUERY},
    },
    "required": ["search", "query"],
    "additionalProperties": False,
}
PLAN = Constraint(grammar=f"start: %json {json.dumps(_SCHEMA)}\n", schema=_SCHEMA)

_INSTRUCTION = (
    "判断回答最后一个问题是否需要联网搜索,并写出搜索词。"
    "事实、人物、事件、产品、数据、时间敏感的问题需要;闲聊、常识、推理、创作不需要。"
    "搜索词要独立完整:把「他」「那个」等换成对话里所指的名字。"
    '只输出JSON,例如{"search": true, "query": "珠穆朗玛峰 海拔"}。'
)
_DEPENDENT = re.compile(
    r"^\s*(那|那么|还有|然后|另外|再|and |what about|how about)|[他她它]"
    r"|这个|那个|这位|那位|上面|刚才|其中|前者|后者"
    r"|\b(he|she|it|they|his|her|its|their|them|that one|this one)\b|呢[??]?\s*$",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"^\s*(请问|请|麻烦|你|能不能|能否|可以|能|帮忙|帮我){0,4}(联网|上网)?"
    r"(搜索一下|搜索|搜一下|搜搜|查一下|查查|检索|告诉我)?(一下)?[,,::]?\s*"
)


class Ask(Protocol):
    """One small pass of the model that answers the request; greedy, under the request's hold."""

    async def __call__(
        self, messages: Sequence[Message], constraint: Constraint, max_tokens: int
    ) -> str: ...


class _Plan(msgspec.Struct):
    search: bool
    query: str


async def planned_query(
    messages: Sequence[Message], ask: Ask, read: Sequence[Message] | None = None
) -> str | None:
    """What to search for, or `None` where no search is needed.

    `messages` are in their authors' own words; `read` is the same conversation as the engine
    reads it, with what pictures show. The model is asked only where rules cannot tell, or where
    the question leans on what was said before or on a picture that was read. If it fails, the
    search the client asked for is made, with the question as it stands. Raises nothing but
    cancellation.
    """
    turns = _turns(messages)
    if not turns or messages[-1].role != "user":
        return None
    question = turns[-1].content
    needed = need(question)
    if needed == "no":
        return None
    known = _turns(messages if read is None else read)
    shows = known[-1].content != question
    talks = len(turns) > 1 and (len(question) < 12 or _DEPENDENT.search(question) is not None)
    leans = shows or talks
    if needed == "yes" and not leans:
        return _direct(question)
    planning = _planning(known, question)
    try:
        plan = msgspec.json.decode(await ask(planning, PLAN, QUERY_TOKENS), type=_Plan)
    except Exception as error:  # A pass that failed must not cost the answer.
        log.warning("search_plan_failed", error=type(error).__name__)
        return _fallback(turns, leans)
    if not plan.search and needed != "yes":
        return None
    query = " ".join(plan.query.split())[:MAX_QUERY]
    return query if len(query) > 1 else _fallback(turns, leans)


def _turns(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message.role in {"user", "assistant"}]


def _planning(turns: Sequence[Message], question: str) -> list[Message]:
    """A conversation about the conversation: a model that sees turns would answer them."""
    lines = [
        f"{'用户' if turn.role == 'user' else '助手'}:{_short(turn.content)}"
        for turn in turns[-5:-1]
    ]
    if turns[-1].content != question:
        lines.append(f"最后一个问题连同图片:{_short(turns[-1].content)}")
    lines.append(f"最后一个问题:{_short(question)}")
    return [Message("system", _INSTRUCTION), Message("user", "\n".join(lines))]


def _short(text: str) -> str:
    return neutral(" ".join(text[:HISTORY_CHARACTERS].split()))


def _direct(question: str) -> str:
    """The question as a query: its first words are courtesy, its last ones the point."""
    text = " ".join(_COURTESY.sub("", question, count=1).split()) or " ".join(question.split())
    return text[:MAX_QUERY]


def _fallback(turns: Sequence[Message], leans: bool) -> str:
    question = _direct(turns[-1].content)
    if not leans:
        return question
    before = [turn.content for turn in turns[:-1] if turn.role == "user"]
    return f"{_direct(before[-1]) if before else ''} {question}".strip()[:MAX_QUERY]
