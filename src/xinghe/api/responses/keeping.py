"""What a request goes on from, and what is kept of its response."""

import asyncio
import re
from collections.abc import Sequence

import msgspec

from xinghe.accounts import Principal
from xinghe.api.errors import ApiError, Errors, refuse, shown
from xinghe.api.exchange import Exchange
from xinghe.api.responses.answer import Response
from xinghe.api.responses.items import InputImage, Item, Texts, items_of
from xinghe.api.responses.reading import CheckedRequest
from xinghe.api.responses.schema import invalid
from xinghe.kept_responses import KeptResponse, NotKept, ResponseStore
from xinghe.storage import now

ITEM = re.compile(r"[a-z]{2,3}_([a-z0-9]{10})[0-9]{1,6}")
"""The id of an item, which holds that of its response."""
MOST_REFERRED = 64
"""Responses to whose items one input may refer."""
LARGEST = 16 * 1024 * 1024
"""Bytes of an input that is kept: they are encoded and decoded in one go, of which others should
feel nothing."""


class _Answered(msgspec.Struct):
    """What a kept response holds for those that go on from it."""

    output: list[Item]


_answered = msgspec.json.Decoder(_Answered).decode


class Keeping(msgspec.Struct):
    """The kept responses, as members see them: with a token for their models."""

    store: ResponseStore
    max_bytes: int
    """What a conversation may take that a request goes on from: no more than a body may have."""
    max_values: int
    """Its items and their parts, likewise: not all of them take of what the model reads."""

    async def find(self, principal: Principal, name: str) -> KeptResponse:
        """Raises `ApiError` (404), `StorageError`."""
        try:
            found = await self.store.find(principal.member_id, name)
        except NotKept:
            raise no_such_response(name) from None
        if not principal.may_use(found.model):
            raise no_such_response(name)
        return found

    async def before(self, principal: Principal, kept: KeptResponse) -> list[KeptResponse]:
        """What a response goes on from, the oldest first; none where not all of it is there.

        Raises `StorageError`.
        """
        if kept.previous is None:
            return []
        try:
            chain = await self.store.chain(
                principal.member_id, kept.previous, max_bytes=self.max_bytes
            )
        except NotKept:
            return []
        return chain if all(principal.may_use(each.model) for each in chain) else []

    async def delete(self, principal: Principal, name: str) -> None:
        """Raises `ApiError` (404), `StorageError`."""
        await self.find(principal, name)
        try:
            await self.store.delete(principal.member_id, name)
        except NotKept:
            raise no_such_response(name) from None

    def sent(self, asked: CheckedRequest) -> bytes | None:
        """The items of a request whose response is to be kept, and will be; else None."""
        if not asked.body.store or not self.store.takes(1):
            return None
        if sum(map(_weight, asked.items)) > LARGEST:
            return None
        sent = msgspec.json.encode(asked.items)
        return sent if self.store.takes(len(sent)) else None

    def keep(
        self, exchange: Exchange, asked: CheckedRequest, sent: bytes, response: Response
    ) -> None:
        """Have a response written; `sent` are the items of its request."""
        kept = KeptResponse(
            name=response.id,
            previous=asked.body.previous_response_id,
            model=response.model,
            input=sent,
            response=msgspec.json.encode(response),
            at=now(),
        )
        self.store.keep(exchange.principal.member_id, kept)


class History(msgspec.Struct):
    """What one request may go on from."""

    keeping: Keeping
    exchange: Exchange

    async def before(self, name: str | None) -> list[Item]:
        """The items of the response that a request goes on from, and of all before it.

        Raises `ApiError`, `StorageError`.
        """
        if name is None:
            return []
        principal, most = self.exchange.principal, self.keeping.max_bytes
        try:
            chain = await self.keeping.store.chain(principal.member_id, name, max_bytes=most)
        except NotKept as missing:
            raise _not_kept(name, str(missing)) from None
        await self.exchange.reserve(sum(each.size for each in chain))
        items: list[Item] = []
        values, most = 0, self.keeping.max_values
        for each in chain:
            if not principal.may_use(each.model):
                raise _not_kept(name, each.name)
            found = [*items_of(each.input), *_answered(each.response).output]
            values += sum(item.values for item in found)
            if values > most:
                allowed = f"a conversation of at most {most} items and parts of them"
                raise refuse("previous_response_id", name, allowed)
            items += found
            await asyncio.sleep(0)
        return items

    async def resolved(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items with those in the place of references that they refer to.

        Raises `ApiError`, `StorageError`.
        """
        if not any(item.kind == "item_reference" for item in items):
            return items
        known = dict[str, list[Item]]()
        found: list[Item] = []
        for at, item in enumerate(items):
            if item.kind != "item_reference":
                found.append(item)
                continue
            referred = ITEM.fullmatch(item.id or "")
            if referred is not None and referred[1] not in known and len(known) < MOST_REFERRED:
                known[referred[1]] = await self._output(f"resp_{referred[1]}")
            output = known.get(referred[1], []) if referred is not None else []
            meant = next((each for each in output if each.id == item.id), None)
            if meant is None:
                raise invalid(
                    f"input[{at}] refers to {shown(item.id)}, allowed: an item of a response that "
                    f"is kept, and of {MOST_REFERRED} responses at most"
                )
            found.append(meant)
        return found

    async def _output(self, name: str) -> list[Item]:
        try:
            kept = await self.keeping.find(self.exchange.principal, name)
        except ApiError:
            return []
        return _answered(kept.response).output


def no_such_response(name: str) -> ApiError:
    return ApiError(
        Errors.NO_SUCH_OBJECT,
        f"no response {shown(name)} is kept: responses are kept where the operator allows it "
        "(responses.keep) and the request says store: true",
    )


def _not_kept(name: str, missing: str) -> ApiError:
    rests = f", which goes on from {shown(missing)}" if missing != name else ""
    return refuse("previous_response_id", name, f"the id of a response that is kept{rests}")


def _weight(item: Item) -> int:
    """About how many bytes an item has, by what may make it large."""
    return (
        sum(map(_length, (item.content, item.output, item.summary)))
        + len(item.arguments or "")
        + len(item.input or "")
    )


def _length(texts: Texts | None) -> int:
    if texts is None or isinstance(texts, str):
        return len(texts or "")
    return sum(
        len(part.image_url or "")
        if isinstance(part, InputImage)
        else len(getattr(part, "text", ""))
        for part in texts
    )
