"""An upstream that costs next to nothing, so that what is measured is the gateway.

`python -m bench.upstream`: prints its port. Whole answers and streams are the same bytes each
time: 100 content chunks, a finish reason, the usage, `[DONE]`, at the pace that the first
argument says (microseconds between chunks; 0: all in one write).
"""

from __future__ import annotations

import asyncio
import json
import sys

CHUNKS = 100
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MODELS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def _event(choices: list[object], usage: object = None) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    data = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


EVENTS = [
    *[_event([{"index": 0, "delta": {"content": "星河"}, "finish_reason": None}])] * CHUNKS,
    _event([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    _event([], {"prompt_tokens": 20, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 20}),
]
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lower = head.lower()
            if b"content-length:" in lower:
                length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
            if head.startswith(b"GET"):
                writer.write(MODELS)
                continue
            if not pause:
                writer.write(HEAD + b"".join(EVENTS) + DONE)
                continue
            writer.write(HEAD)
            for event in EVENTS:
                writer.write(event)
                await asyncio.sleep(pause)
            writer.write(DONE)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    pause = float(sys.argv[1]) / 1e6
    server = await asyncio.start_server(lambda r, w: _serve(r, w, pause), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
