"""One question put to a model with an access token, and what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from xinghe.api.account.schema import RequestShown
from xinghe.api.chat.response import ChunkChoice, CompletionUsage
from xinghe.api.errors import ErrorAnswer, ErrorDetail
from xinghe.console import advice
from xinghe.console.calls import Refused, refusal
from xinghe.console.page import Page
from xinghe.console.requests import request_of

CHAT = "/v1/chat/completions"


class Piece(msgspec.Struct, frozen=True):
    """What came next of the answer, and of the thought before it."""

    text: str = ""
    thought: str = ""


class Event(msgspec.Struct):
    """What is read of an event of the stream: a chunk, or an error."""

    id: str = ""
    choices: list[ChunkChoice] = []
    usage: CompletionUsage | None = None
    error: ErrorDetail | None = None


class Run:
    """A question; `text` and `thought` are what has come of the answer so far.

    `request` is what the service says of the call once it has ended: None where it kept nothing.
    `refused` tells why there is no answer, or no whole one; `again` in how many seconds there may
    be one. `served_by` names what really answers.
    """

    def __init__(self, page: Page, token: str, model: str, question: str) -> None:
        self._page = page
        self.token = token
        self.model = model
        self.question = question
        self.text = ""
        self.thought = ""
        self.request_id = ""
        self.served_by = ""
        self.usage: CompletionUsage | None = None
        self.request: RequestShown | None = None
        self.refused: Refused | None = None
        self.again = ""

    @property
    def advice(self) -> tuple[str, str]:
        """What to do about its refusal: in Chinese, and in English."""
        return advice.of(self.refused.code if self.refused else "")

    async def all(self) -> None:
        """Wait for the whole answer."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                pass

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The answer as it comes; to close it early is to leave."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.question}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with self._page.api.of(self.token).open("POST", CHAT, body=body) as answer:
            self.request_id = answer.header("x-request-id")
            self.served_by = answer.header("x-served-by")
            if answer.status >= 400:
                self.refused = refusal(answer, await answer.read())
                self.again = answer.header("retry-after")
            else:
                rest = b""
                async for data in answer.pieces:
                    *events, rest = (rest + data).split(b"\n\n")
                    piece = self._take(events)
                    if piece.text or piece.thought:
                        yield piece
        self.request = await request_of(self._page, self.request_id)

    def _take(self, events: list[bytes]) -> Piece:
        """What some events of the stream add."""
        text, thought = "", ""
        for raw in events:
            data = raw.removeprefix(b"data: ")
            if data in (raw, b"[DONE]"):
                continue  # a comment, or the end
            event = msgspec.json.decode(data, type=Event)
            if event.error is not None:
                self.refused = Refused(500, ErrorAnswer(event.error, event.id))
            self.usage = event.usage or self.usage
            for choice in event.choices:
                delta = choice.delta
                text += delta.content + (delta.refusal or "")
                thought += delta.reasoning_content or ""
        self.text += text
        self.thought += thought
        return Piece(text, thought)
