"""The answer of a server, read under limits of time and size. Every client of one reads by this.

The limits are our own: the library's timer is armed by each arrival, and is not heard where the
framing of the body has broken.
"""

from __future__ import annotations

import asyncio

import aiohttp

from xinghe.outbound.faults import AnswerTooLarge, Silent, fault_of
from xinghe.outbound.pace import Pace

LONGEST_ADVICE = 3600.0
"""Seconds; a server that says more is not believed."""
SILENCES = 4
"""How many times its longest silence a server may take to say what is waited for."""


class Answer:
    """What came back, with the body still to be read.

    `silence` is the longest that it may say nothing, in seconds.
    """

    def __init__(self, response: aiohttp.ClientResponse, silence: float) -> None:
        self.status = response.status
        self._response = response
        self._silence = silence
        self.pace = Pace()
        """For the work on what it says, too."""

    @property
    def patience(self) -> float:
        """Seconds within which a server that keeps talking must have said something."""
        return SILENCES * self._silence

    @property
    def advice(self) -> float | None:
        """The seconds of `Retry-After`; `None` for none, a date, and what is not believed."""
        try:
            seconds = float(self._response.headers.get("Retry-After", ""))
        except ValueError:
            return None
        return seconds if 0 <= seconds <= LONGEST_ADVICE else None

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
        self.pace.read()
        limit = asyncio.get_running_loop().time() + self._silence
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
        until = asyncio.get_running_loop().time() + self.patience
        data = bytearray()
        while piece := await self.read(until):
            data += piece
            if len(data) > most:
                raise too_large
        return bytes(data)

    def close(self) -> None:
        """Keep the connection where the answer was read to its end, else drop it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
