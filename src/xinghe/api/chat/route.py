"""`POST /chat/completions`: a request read, and its answer sent; `work` says what it is and costs.

`priced` does the rest.
"""

from collections.abc import Sequence

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.encoder import StreamEncoder
from xinghe.api.chat.reading import read_request
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import Accumulator, ChatCompletion, completion
from xinghe.api.chat.schema import CHAT, ChatBody
from xinghe.api.chat.served import Served
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services
from xinghe.api.validation import ParsedBody, parse_request
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Usage
from xinghe.dispatch import Chain


class ChatRoute(msgspec.Struct):
    """Reads a request, and sends its answer in one piece or as a stream."""

    services: Services
    answers: Answers

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self.services, self.services.settings.server
        parsed, card = await parse_request(
            CHAT[exchange.dialect], Kind.CHAT, exchange, services.live, server, whole=False
        )
        request, chain = await self.understood(exchange, parsed, card)
        wording = _Wording(exchange, request)
        await self.answers.send(exchange, parsed.form, request, chain, wording)

    async def understood(
        self, exchange: Exchange, parsed: ParsedBody[ChatBody], card: ModelCard
    ) -> tuple[ChatRequest, Chain[Served]]:
        """What is asked, and who may serve it. Raises `ApiError`."""
        chain = self.answers.chain(exchange, card)
        able, most = chain.own.able, chain.own.limits.max_characters
        request = await read_request(parsed, exchange.model, card, exchange.dialect, able, most)
        check_length(exchange, request, most)
        return request, chain


class _Wording(msgspec.Struct):
    exchange: Exchange
    request: ChatRequest

    def encoder(self, usage: Usage, choice: int) -> StreamEncoder:
        return StreamEncoder(self.exchange, self.request, usage, choice)

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> ChatCompletion:
        return completion(self.exchange, self.request, accumulated, usage)
