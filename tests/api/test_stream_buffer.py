"""What waits for the reader of a stream: how much of it leaves at a time, how much may wait."""

from __future__ import annotations

import pytest

from xinghe.api.chat.stream import MAX_BYTES, PIECE, BufferFull, KeepAlive, StreamBuffer
from xinghe.settings import Server


async def test_about_64_kib_leave_at_a_time() -> None:
    buffer, sent = StreamBuffer(), [b"%07d." % number for number in range(40_000)]
    for number, data in enumerate(sent):
        buffer.put(data, float(number))
    buffer.close()
    pieces, arrivals = list[bytes](), list[float | None]()
    while (taken := await buffer.take()) is not None:
        pieces.append(taken[0])
        arrivals.append(taken[1])
    assert b"".join(pieces) == b"".join(sent)
    assert max(map(len, pieces)) == PIECE == 64 * 1024
    assert len(pieces) == 5
    assert arrivals == [float(at * PIECE // 8) for at in range(5)]  # of the oldest in each


async def test_a_reader_16_mib_behind_is_as_good_as_gone() -> None:
    buffer, mebibyte = StreamBuffer(), bytes(1024 * 1024)
    for _ in range(16):
        buffer.put(mebibyte, None)
    with pytest.raises(BufferFull):
        buffer.put(b"1", None)
    assert MAX_BYTES == 16 * 1024 * 1024


async def test_what_the_reader_has_taken_makes_room() -> None:
    buffer, mebibyte = StreamBuffer(), bytes(1024 * 1024)
    for _ in range(100):
        buffer.put(mebibyte, None)
        assert await buffer.take() == (mebibyte, None)


class Head:
    """The head of an answer, which has left or not."""

    def __init__(self) -> None:
        self.answered = False
        self.headers = dict[str, str]()
        self.set_header = self.headers.__setitem__


@pytest.mark.parametrize("event", [b": keep-alive\n\n", b"event: ping\n\n"])
async def test_a_long_wait_is_told_in_seconds(event: bytes) -> None:
    """While it lasts, in comments; in the head too, as long as that is here."""
    buffer, head = StreamBuffer(), Head()
    server = Server(keepalive_comment=0.1)
    keep_alive = KeepAlive(buffer, head, server, event)  # type: ignore[arg-type]
    keep_alive.begin()
    also = b"" if event.startswith(b":") else event
    left = 40.2
    with keep_alive, keep_alive.reading.told("reading the prompt", lambda: left):
        first = await buffer.take()
        assert first == (b": reading the prompt, about 41 s\n\n" + also, None)
        assert head.headers == {"x-estimated-first-token": "41"}
        head.answered, left = True, 30.0
        assert await buffer.take() == (b": reading the prompt, about 30 s\n\n" + also, None)
        left = 20.0
        assert await buffer.take() == (event, None)
    assert head.headers == {"x-estimated-first-token": "41"}
