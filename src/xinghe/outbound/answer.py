"""The answer of a server, read under limits of time and size. Every client of one reads by this.

The limits are our own: the library's timer is armed by each arrival, and is not heard where the
framing of the body has broken.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from xinghe.outbound.faults import (
    AnswerTooLarge,
    CallFailed,
    Refused,
    Silent,
    fault_of,
    known_words,
)
from xinghe.outbound.pace import A_READ, Pace

LONGEST_ADVICE = 3600.0
"""Seconds; a server that says more is not believed."""
SILENCES = 4
"""How many times its longest silence a server may take to say what is waited for."""
FOR_ITS_ERROR = 2.0
"""Seconds to wait for the body of a refusal, which only the log wants."""


class Answer:
    """What came back, with the body still to be read: `with` it, so that it is let go of.

    `silence` is the longest that it may say nothing, `patience` within what time a server that
    keeps talking must have said something, both in seconds. `pace` is for the work on what it
    says, too.
    """

    def __init__(self, response: aiohttp.ClientResponse, silence: float) -> None:
        self.patience = SILENCES * silence
        self.pace = Pace()
        self._response = response
        self._silence = silence
        self._clock = asyncio.get_running_loop().time

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the connection where the answer was read to its end, else drop it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    async def rest(self) -> None:
        """Wait where the work on this answer has been more than its share."""
        if not (seconds := self.pace.wait()):
            return
        connection = self._response.connection
        transport = connection.transport if connection else None
        if transport is None or not transport.is_reading():
            # The library takes nothing more by itself until this is read.
            await asyncio.sleep(seconds)
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            transport.resume_reading()

    async def read(self, until: float | None = None) -> bytes:
        """The next bytes of the body; none at its end.

        `until` is a time of the loop's clock by which they must have come. Raises `Silent`,
        `Broken`.
        """
        await self.rest()
        self.pace.spend(A_READ)
        limit = self._clock() + self._silence
        try:
            # To take what has come makes the library parse what came after it.
            with self.pace:
                read = self._response.content.read_nowait()
            if read:
                return read
            async with asyncio.timeout_at(limit if until is None else min(limit, until)):
                return await self._response.content.readany()
        except TimeoutError:
            raise Silent("it fell silent") from None
        except Exception as error:
            raise fault_of(error, begun=True) from None

    async def whole(self, most: int) -> bytes:
        """The body, of at most `most` bytes. Raises `AnswerTooLarge`, `Silent`, `Broken`."""
        too_large = AnswerTooLarge(f"its answer has more than {most} bytes")
        if (self._response.content_length or 0) > most:
            raise too_large
        until = self._clock() + self.patience
        data = bytearray()
        while piece := await self.read(until):
            data += piece
            if len(data) > most:
                raise too_large
        return bytes(data)

    async def refusal(self) -> Refused:
        """What a status that is no success amounts to. Some servers repeat the request in it."""
        try:
            told = known_words(await self.read(self._clock() + FOR_ITS_ERROR))
        except CallFailed:
            told = ""
        try:
            advice = float(self._response.headers.get("Retry-After", ""))
        except ValueError:  # none, or a date
            advice = -1.0
        believed = 0 <= advice <= LONGEST_ADVICE
        return Refused(self._response.status, told, advice if believed else None)
