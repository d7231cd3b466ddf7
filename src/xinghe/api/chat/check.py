"""`POST /chat/completions/check`: whether a chat would be taken, at nobody's cost."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinghe.api.chat.pictures import check_pictures
from xinghe.api.chat.route import ChatRoute
from xinghe.api.chat.schema import CHAT, ChatBody
from xinghe.api.chat.vetted import check_wanted, vetted
from xinghe.api.errors import not_covered
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.models import NO_MODEL
from xinghe.api.priced import Services, admit, unless_gone
from xinghe.api.validation import ParsedBody, parse_request
from xinghe.catalog import Kind, ModelCard
from xinghe.ledger import InsufficientTokens


class ChatCheck(msgspec.Struct):
    """The chat would be taken; one that would not is refused as it would be."""

    id: str
    object: Literal["chat.completion.check"]
    model: str
    taken: Literal[True]


class CheckRoute(msgspec.Struct):
    """Holds a chat's body to all that needs no engine, its schemas included.

    Nothing is moderated, counted, reserved or charged; it counts in the limits of requests as the
    list of models does.
    """

    services: Services
    chats: ChatRoute

    async def __call__(self, exchange: Exchange) -> None:
        services = self.services
        limits = services.live.now.catalog.limits
        await admit(services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)
        parsed, card = await parse_request(
            CHAT[exchange.dialect], Kind.CHAT, exchange, services.live, services.settings.server,
            whole=False,
        )  # fmt: skip
        await unless_gone(exchange, self._vet(exchange, parsed, card))
        told = ChatCheck(exchange.request_id, "chat.completion.check", exchange.model, taken=True)
        await exchange.send_json(told)

    async def _vet(self, exchange: Exchange, parsed: ParsedBody[ChatBody], card: ModelCard) -> None:
        services, principal = self.services, exchange.principal
        """Raises `ApiError`."""
        request, chain = await self.chats.understood(exchange, parsed, card)
        check_wanted(request, chain.own, exchange.dialect)
        check_pictures(request.messages)
        check_whole(exchange)

        async def cover() -> None:
            """No work is done for a member who could not pay for the least of answers."""
            least = card.rate.cost(1, 1, searches=int(request.search is not None))
            await services.ledger.cover(principal, exchange.model, least)

        try:
            await vetted(services.vetting, request, chain.own, str(principal.member_id), cover)
        except InsufficientTokens as fault:
            managers = await services.principals.managers(principal.member_id)
            raise not_covered(fault, managers) from fault
