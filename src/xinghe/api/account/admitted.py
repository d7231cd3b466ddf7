"""How every question about an account begins: within the limits, well asked, in which form."""

from __future__ import annotations

from typing import TypeVar

from xinghe.api.account.forms import Format, form_of
from xinghe.api.account.questions import Scoped
from xinghe.api.exchange import Exchange
from xinghe.api.models import NO_MODEL
from xinghe.api.priced import Services, admit
from xinghe.api.query import Query

Q = TypeVar("Q", bound=Scoped)


async def admitted(services: Services, exchange: Exchange, query: Query[Q]) -> tuple[Q, Format]:
    """What is asked, and in which form it is to be answered. Raises `ApiError`."""
    limits = services.live.now.catalog.limits
    await admit(services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)
    asked = query.read(exchange.scope["query_string"])
    return asked, form_of(exchange, asked.format)
