"""Server-sent events: wherever the reads break, the events are those of a single read."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xinghe.outbound import AnswerTooLarge
from xinghe.outbound.response import MAX_EVENT_BYTES, EventParser

LINES = st.one_of(
    st.just(b""),
    st.builds(
        bytes.__add__,
        st.sampled_from(
            [b"data:", b"data: ", b"data:  ", b": ", b"event: ", b"id:", b"data ", b"x"]
        ),
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(
            str.encode
        ),
    ),
)
STREAMS = st.lists(
    st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])).map(b"".join), max_size=20
).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces, empty ones among them."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def reference(stream: bytes) -> list[bytes]:
    """The standard's algorithm on the whole stream at once."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", stream)[:-1]:
        if line == b"" and data:
            events.append(b"\n".join(data))
            data = []
        name, colon, value = line.partition(b":")
        if colon and name == b"data":
            data.append(value.removeprefix(b" "))
    return events


def parse(reads: list[bytes]) -> list[bytes]:
    parser = EventParser()
    return [event for read in reads for event in parser.feed(read)]


PLAIN = st.lists(
    st.tuples(
        st.sampled_from([b"data: "] * 8 + [b"data:", b": ", b"data: data: ", b"\n", b"x"]),
        st.sampled_from([b"", b"{}", b'{"a": 1}', "字".encode(), b" data: b"]),
        st.sampled_from([b"\n\n"] * 8 + [b"\n", b"\n\n\n", b"\r\n\r\n"]),
    ).map(b"".join),
    max_size=8,
).map(b"".join)
"""Most events are framed alike."""


@settings(deadline=None)  # the machine may be busy
@given(PLAIN, st.lists(st.integers(0, 10_000), max_size=6))
def test_events_framed_alike(stream: bytes, places: list[int]) -> None:
    """In one cut or line by line, wherever the reads break, they are the same."""
    singly = parse([stream[at : at + 1] for at in range(len(stream))])
    assert parse(cut(stream, places)) == singly


@settings(deadline=None)  # the machine may be busy
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"data: a\r\n\r\ndata: b\r\r", [8, 9, 10])
@example("data: 字\r\n\r\n".encode(), [7, 8, 9, 10, 11])
def test_cuts_change_nothing(stream: bytes, places: list[int]) -> None:
    assert parse(cut(stream, places)) == parse([stream]) == reference(stream)


@settings(deadline=None)
@given(STREAMS)
def test_byte_by_byte_is_as_one_read(stream: bytes) -> None:
    assert parse([stream[i : i + 1] for i in range(len(stream))]) == reference(stream)


@settings(deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_bytes_that_are_no_stream_raise_nothing(stream: bytes, places: list[int]) -> None:
    assert parse(cut(stream, places)) == reference(stream)


@pytest.mark.parametrize("size", [1, 65_536, MAX_EVENT_BYTES // 2])
def test_large_events_pass(size: int) -> None:
    body = b"x" * size
    stream = b"data: " + body + b"\n\n"
    assert parse(cut(stream, list(range(0, len(stream), 1 + len(stream) // 8)))) == [body]


@pytest.mark.parametrize(
    "piece",
    [b"data: " + b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n", b"data:\n" * 16_384],
    ids=["one line", "lines", "empty lines"],
)
def test_event_without_end_is_refused(piece: bytes) -> None:
    reads = [piece] * (MAX_EVENT_BYTES // 65_536 + 2)
    with pytest.raises(AnswerTooLarge):
        parse(reads)


def test_a_byte_order_mark_at_the_beginning_is_no_part_of_the_first_line() -> None:
    assert EventParser().feed(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]
