"""The chain of thought as requests speak of it: four switches of as many vendors, one meaning."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xinghe.api.chat.schema import ChatBody
from xinghe.api.dialect import Dialect
from xinghe.api.errors import refuse
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Thinking

SWITCHES = ("enable_thinking", "thinking", "thinking_budget", "reasoning_effort")
EFFORTS = {"none": 0.0, "minimal": 0.05, "low": 0.25, "medium": 0.5, "high": 1.0, "xhigh": 1.0}
"""The share of the bound of the chain of thought."""

T = TypeVar("T")


def sent_switches(body: ChatBody) -> list[str]:
    """The names of those that a body has."""
    return [name for name in SWITCHES if getattr(body, name) is not None]


def thinking_of(body: ChatBody, card: ModelCard, dialect: Dialect, adjusted: list[str]) -> Thinking:
    """What the switches of a body say together. Raises `ApiError` where they contradict.

    `thinking_budget` is in the range of the card; the budget that stands in `thinking` is brought
    there at `/v1`, which is listed as `adjusted`.
    """
    if not sent_switches(body):
        return Thinking()
    on = _agreed(list(_switches(body)))
    budgets = list(_budgets(body, card, dialect, adjusted))
    budget = _agreed([(name, value, value) for name, value in budgets])
    if on is None and budget is not None:
        on = True
    return Thinking(on, budget, body.reasoning_effort)


def _switches(body: ChatBody) -> Iterator[tuple[str, object, bool]]:
    """Fields that say whether to think, what they hold, and what that means."""
    if body.enable_thinking is not None:
        yield "enable_thinking", body.enable_thinking, body.enable_thinking
    kind = body.thinking and body.thinking.type
    if kind in {"enabled", "disabled"}:
        yield "thinking.type", kind, kind == "enabled"
    if body.reasoning_effort is not None:
        yield "reasoning_effort", body.reasoning_effort, body.reasoning_effort != "none"


def _budgets(
    body: ChatBody, card: ModelCard, dialect: Dialect, adjusted: list[str]
) -> Iterator[tuple[str, int]]:
    """Fields that say for how many tokens to think."""
    budget, most = body.thinking.budget_tokens if body.thinking else None, longest(card, dialect)
    if budget is not None and most and budget > most:
        if dialect is Dialect.DOCUMENTED:
            raise refuse("thinking.budget_tokens", budget, f"an integer in [1, {most}]")
        budget = most
        adjusted.append(f"thinking.budget_tokens={most}")
    if budget is not None:
        yield "thinking.budget_tokens", budget
    if body.thinking_budget is not None:
        yield "thinking_budget", body.thinking_budget


def _agreed(said: Sequence[tuple[str, object, T]]) -> T | None:
    """What all of them mean, None if nothing is said."""
    if not said:
        return None
    first, _, meant = said[0]
    for name, value, other in said[1:]:
        if other != meant:
            raise refuse(name, value, f"what agrees with {first}")
    return meant


def longest(card: ModelCard, dialect: Dialect) -> int:
    """The most tokens that a chain of thought may be asked for; 0: the model has none.

    At `/v1` every model thinks that is told to: one whose card has no chain of thought as long as
    it may answer.
    """
    if thinks(card):
        return card.reasoning_max
    return card.output_max if dialect is Dialect.OPENAI else 0


def thinks(card: ModelCard) -> bool:
    """Whether the model thinks without being told to."""
    return card.reasoning_max > 0 and Capability.REASONING in card.capabilities


def bounded(
    asked: Thinking, card: ModelCard, dialect: Dialect, sent: Sequence[str], ignored: list[str]
) -> tuple[int, float]:
    """The most tokens of the chain of thought (0: the model shows none), and the share wanted.

    A model that does not think ignores the `sent` switches, but for those that forbid it.
    """
    most = longest(card, dialect)
    if not most or not (thinks(card) or asked.on):
        if asked.on is not False:
            ignored += sent
        return 0, 1.0
    if asked.on is False:
        return most, 0.0
    if asked.budget is not None:
        return min(asked.budget, most), 1.0
    return most, EFFORTS.get(asked.effort or "", 1.0)
