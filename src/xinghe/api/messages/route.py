"""`POST /messages` and `/messages/count_tokens`: a request in Anthropic's form, its answer, or
how long it is."""

from collections.abc import Sequence
from typing import Any

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import Accumulator
from xinghe.api.chat.served import Served
from xinghe.api.exchange import Exchange
from xinghe.api.messages.encoder import MessageEncoder
from xinghe.api.messages.reading import read_request
from xinghe.api.messages.response import AnsweredMessage, CountedTokens
from xinghe.api.messages.schema import COUNT, MESSAGES
from xinghe.api.messages.whole import message
from xinghe.api.priced import Services
from xinghe.api.validation import Form, parse_request
from xinghe.catalog import Kind
from xinghe.core import Usage
from xinghe.dispatch import Chain


class MessagesRoute(msgspec.Struct):
    """Reads a request, and sends its answer in one piece or as a stream, or its length alone."""

    services: Services
    answers: Answers

    async def answer(self, exchange: Exchange) -> None:
        request, chain = await self._read(exchange, MESSAGES)
        await self.answers.send(exchange, MESSAGES, request, chain, _Wording(exchange))

    async def count(self, exchange: Exchange) -> None:
        request, chain = await self._read(exchange, COUNT)
        tokens = await self.answers.count(exchange, COUNT, request, chain)
        await exchange.send_json(CountedTokens(tokens))

    async def _read(self, exchange: Exchange, form: Form[Any]) -> tuple[ChatRequest, Chain[Served]]:
        """What is asked, and who may serve it. Raises `ApiError`."""
        exchange.add_header("request-id", exchange.request_id)  # as Anthropic's clients read it
        services, server = self.services, self.services.settings.server
        parsed, card = await parse_request(
            form, Kind.CHAT, exchange, services.live, server, whole=False
        )
        chain = self.answers.chain(exchange, card)
        able, most = chain.own.able, chain.own.limits.max_characters
        request = await read_request(parsed, exchange.model, card, able, most, _betas(exchange))
        check_length(exchange, request, most)
        return request, chain


class _Wording(msgspec.Struct):
    exchange: Exchange

    def encoder(self, usage: Usage, _: int) -> MessageEncoder:
        return MessageEncoder(self.exchange.request_id, self.exchange.model, usage)

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> AnsweredMessage:
        (answer,) = accumulated
        return message(self.exchange.request_id, self.exchange.model, answer, usage)


def _betas(exchange: Exchange) -> list[str]:
    """The flags that were sent as `anthropic-beta`: none has an effect."""
    sent = ",".join(exchange.header_values(b"anthropic-beta"))
    return [flag for each in sent.split(",") if (flag := each.strip())]
