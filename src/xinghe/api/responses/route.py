"""`/responses`: a request read, and its answer sent; the way between is that of every chat.

What is kept of the answers can be read, deleted and gone on from; a stream can be cancelled.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.response import Accumulator
from xinghe.api.chat.stream import Encoder
from xinghe.api.errors import refuse
from xinghe.api.exchange import Exchange, read_body
from xinghe.api.models import NO_MODEL
from xinghe.api.priced import Services, admit
from xinghe.api.responses.answer import Deleted, Response
from xinghe.api.responses.encoder import ResponseEncoder, merged
from xinghe.api.responses.input_items import QUERY, conversation, page
from xinghe.api.responses.keeping import History, Keeping
from xinghe.api.responses.reading import CheckedRequest, read_request
from xinghe.api.responses.running import Running
from xinghe.api.responses.schema import RESPONSES
from xinghe.api.validation import parse_request
from xinghe.catalog import Kind
from xinghe.core import Usage


class ResponsesRoute(msgspec.Struct):
    """Reads a request, and sends its answer in one piece or as a stream."""

    services: Services
    answers: Answers
    keeping: Keeping
    running: Running

    async def create(self, exchange: Exchange) -> None:
        services, server = self.services, self.services.settings.server
        parsed, card = await parse_request(
            RESPONSES, Kind.CHAT, exchange, services.live, server, whole=False
        )
        chain = self.answers.chain(exchange, card)
        able, most = chain.own.able, chain.own.limits.max_characters
        history = History(self.keeping, exchange)
        asked = await read_request(parsed, exchange.model, card, able, most, history)
        check_length(exchange, asked.chat, most)
        wording = _Wording(exchange, asked, self.keeping)
        sending = self.answers.send(exchange, parsed.form, asked.chat, chain, wording)
        if asked.chat.stream:
            await self.running.run(exchange, wording.made, sending)
        else:
            await sending

    async def show(self, exchange: Exchange) -> None:
        await self._admit(exchange)
        query = parse_qsl(exchange.scope["query_string"].decode("latin-1"))
        if ("stream", "true") in query:
            raise refuse("stream", True, "false: a response that is kept is not streamed again")
        found = await self.keeping.find(exchange.principal, exchange.path_id)
        await exchange.send_json(found.response)

    async def input_items(self, exchange: Exchange) -> None:
        """What a kept response was asked."""
        await self._admit(exchange)
        query = QUERY.read(exchange.scope["query_string"])
        principal = exchange.principal
        found = await self.keeping.find(principal, exchange.path_id)
        before = await self.keeping.before(principal, found)
        await exchange.reserve(sum(each.size for each in (*before, found)))
        await exchange.send_json(page(await conversation(before, found), query))

    async def delete(self, exchange: Exchange) -> None:
        await self._admit(exchange)
        await self.keeping.delete(exchange.principal, exchange.path_id)
        await exchange.send_json(Deleted(exchange.path_id))

    async def cancel(self, exchange: Exchange) -> None:
        """A stream that is being made ends; what has ended is shown as it is."""
        await self._admit(exchange)
        await read_body(exchange, self.services.settings.server)
        name = exchange.path_id
        response = await self.running.cancel(exchange.principal, name)
        if response is not None:
            await exchange.send_json(response)
            return
        await exchange.send_json((await self.keeping.find(exchange.principal, name)).response)

    async def _admit(self, exchange: Exchange) -> None:
        limits = self.services.live.now.catalog.limits
        await admit(self.services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)


class _Wording:
    """Of one answer; it is kept when it has ended, if it is to be."""

    def __init__(self, exchange: Exchange, asked: CheckedRequest, keeping: Keeping) -> None:
        sent = keeping.sent(asked)
        keep = _let_go if sent is None else partial(keeping.keep, exchange, asked, sent)
        self.made = ResponseEncoder(exchange, asked, kept=sent is not None, ended=keep)

    def encoder(self, usage: Usage, _: int) -> Encoder:
        self.made.usage = usage
        return self.made

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> Response:
        (answer,) = accumulated
        self.made.usage = usage
        self.made.encode(merged(answer.deltas))
        return self.made.response


def _let_go(_: Response) -> None:
    """Nothing is kept of it."""
