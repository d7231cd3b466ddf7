"""A chat server as a process of its own, with the prefix cache of one: `python -m … PORT`.

It knows blocks of prompts that it has read, as vLLM does, and tells how many tokens of a prompt
it knew. `POST /pace` sets how long it takes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from hashlib import blake2b
from typing import Any

BLOCK = 16
"""Characters of a block; one is a token here."""
MOST_BLOCKS = 200_000
PIECES = 8

Pace = dict[str, float]


class Cache:
    """Blocks by the digest of all that stands before their end; the oldest go first."""

    def __init__(self) -> None:
        self._known = OrderedDict[bytes, None]()

    def read(self, prompt: str) -> int:
        """How many characters were known; all are from now on."""
        so_far, known, goes_on = b"", 0, True
        for at in range(0, len(prompt) - BLOCK + 1, BLOCK):
            so_far = blake2b(so_far + prompt[at : at + BLOCK].encode(), digest_size=16).digest()
            goes_on = goes_on and so_far in self._known
            known += BLOCK * goes_on
            self._known[so_far] = None
            self._known.move_to_end(so_far)
        while len(self._known) > MOST_BLOCKS:
            self._known.popitem(last=False)
        return known


class Chat:
    """`head`: seconds before the head, `piece`: before each piece of the answer."""

    def __init__(self) -> None:
        self.pace: Pace = {"head": 0.0, "piece": 0.0}
        self.cache = Cache()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
                body = await reader.readexactly(int(length or b"0"))
                await self._answer(head.split(b" ")[1], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == b"/pace":
            self.pace |= json.loads(body)
        if path != b"/v1/chat/completions":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        messages = json.loads(body)["messages"]
        prompt = "".join(f"<{each['role']}>{each['content']}" for each in messages)
        known = self.cache.read(prompt)
        await asyncio.sleep(self.pace["head"])
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(PIECES):
            await self._say(writer, {"choices": [{"delta": {"content": "字"}}]})
            await asyncio.sleep(self.pace["piece"])
        await self._say(writer, {"choices": [{"delta": {}, "finish_reason": "stop"}]})
        usage: dict[str, Any] = {"prompt_tokens": len(prompt), "completion_tokens": PIECES}
        usage["prompt_tokens_details"] = {"cached_tokens": known}
        await self._say(writer, {"choices": [], "usage": usage})
        await self._say(writer, None)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _say(self, writer: asyncio.StreamWriter, event: dict[str, Any] | None) -> None:
        said = b"data: " + (json.dumps(event).encode() if event else b"[DONE]") + b"\n\n"
        writer.write(b"%x\r\n%s\r\n" % (len(said), said))
        await writer.drain()


async def main(port: int) -> None:
    server = await asyncio.start_server(Chat().serve, "127.0.0.1", port)
    print("serving", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
