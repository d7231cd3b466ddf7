"""The chain of thought as requests speak of it: four switches of as many vendors, one meaning."""

from collections.abc import Sequence
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


def thinking_of(body: ChatBody) -> Thinking:
    """What the switches of a body say together. Raises `ApiError` where they contradict."""
    if not sent_switches(body):
        return Thinking()
    said: list[tuple[str, object, bool]] = []
    budgets: list[tuple[str, int]] = []
    if body.enable_thinking is not None:
        said.append(("enable_thinking", body.enable_thinking, body.enable_thinking))
    if body.thinking is not None:
        kind = body.thinking.type
        if kind in {"enabled", "disabled"}:
            said.append(("thinking.type", kind, kind == "enabled"))
        if body.thinking.budget_tokens is not None:
            budgets.append(("thinking.budget_tokens", body.thinking.budget_tokens))
    effort = body.reasoning_effort
    if effort is not None:
        said.append(("reasoning_effort", effort, effort != "none"))
    if body.thinking_budget is not None:
        budgets.append(("thinking_budget", body.thinking_budget))
    on = _agreed(said)
    budget = _agreed([(name, value, value) for name, value in budgets])
    if on is None and budget is not None:
        on = True
    return Thinking(on, budget, effort)


def _agreed(said: Sequence[tuple[str, object, T]]) -> T | None:
    """What all of them mean, None if nothing is said."""
    if not said:
        return None
    first, _, meant = said[0]
    for name, value, other in said[1:]:
        if other != meant:
            raise refuse(name, value, f"what agrees with {first}")
    return meant


def bounded(
    asked: Thinking, card: ModelCard, dialect: Dialect, sent: Sequence[str], ignored: list[str]
) -> tuple[int, float]:
    """The most tokens of the chain of thought (0: the model shows none), and the share wanted.

    At `/v1` every model thinks that is told to; one whose card has no chain of thought within the
    bound of its answer. Elsewhere such a model ignores the `sent` switches.
    """
    reasons = card.reasoning_max and Capability.REASONING in card.capabilities
    if not reasons and (dialect is Dialect.DOCUMENTED or not asked.on):
        if asked.on is not False:
            ignored += sent
        return 0, 1.0
    most = card.reasoning_max if reasons else card.output_max
    if asked.on is False:
        return most, 0.0
    if asked.budget is not None:
        return min(asked.budget, most), 1.0
    return most, EFFORTS.get(asked.effort or "", 1.0)
