"""The budgets that memory counts (RPM, TPM, concurrent requests), as what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from xinghe.limits.places import Place
from xinghe.limits.quota import Ask, Key, per_minute
from xinghe.limits.store import AtWork, Rates


class Budget(Protocol):
    """At most `amount` of a unit, of requests for one `model` or, without, for all."""

    @property
    def id(self) -> int: ...
    @property
    def unit(self) -> Literal["rpm", "tpm", "concurrent"]: ...
    @property
    def amount(self) -> int: ...
    @property
    def whose(self) -> str: ...
    @property
    def model(self) -> str | None: ...


def asked(budgets: Iterable[Budget], model: str) -> tuple[list[Ask], list[Place]]:
    """What a request for a model is taken from, and its places, in the order of the budgets."""
    asks, places = [], []
    for budget in budgets:
        if budget.model in (None, model):
            key: Key = ("budget", budget.id, budget.model or "")
            if budget.unit == "concurrent":
                places.append(Place(key, budget.whose, budget.amount))
            else:
                asks.append(Ask(key, budget.whose, per_minute(budget.unit, budget.amount)))
    return asks, places


async def left(rates: Rates, at_work: AtWork, budget: Budget) -> int:
    """What is left of a budget now: requests, Tokens, or places."""
    asks, wanted = asked([budget], budget.model or "")
    return await (at_work.left(wanted[0]) if wanted else rates.left(asks[0]))
