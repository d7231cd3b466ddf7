"""Answers cut into reads of any size are those of a single read; hostile ones end in a fault."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outbound.test_events import cut
from xinghe.outbound.parsing import LONGEST_FIELD, MOST_FIELDS, MOST_UNSAID, Answers, HeadTooLarge

PIECES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
PLACES = st.lists(st.integers(0, 10_000), max_size=12)
HEAD = b"HTTP/1.1 200 OK\r\n"


def read(reads: list[bytes]) -> Answers:
    answers = Answers()
    answers.begin()
    for each in filter(None, reads):
        answers.feed(memoryview(each))
    return answers


def chunked(pieces: list[bytes], end: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n" + end + b"\r\n"


def sized(pieces: list[bytes], end: bytes) -> bytes:
    body = b"".join(pieces)
    return HEAD + b"Content-Length: %d\r\n%b\r\n%b" % (len(body), end, body)


@settings(deadline=None)
@given(
    PIECES, PLACES, st.sampled_from([chunked, sized]), st.sampled_from([b"", b"X-A: 1\r\nX-B:\r\n"])
)
def test_a_body_is_the_same_wherever_it_is_cut(
    pieces: list[bytes], places: list[int], form: object, end: bytes
) -> None:
    assert callable(form)
    answers = read(cut(form(pieces, end), places))
    assert b"".join(answers.pieces) == b"".join(pieces)
    assert answers.is_over
    assert answers.keeps
    assert not answers.is_spoiled


@settings(deadline=None)
@given(PIECES, PLACES)
def test_a_body_without_a_length_ends_with_the_connection(
    pieces: list[bytes], places: list[int]
) -> None:
    answers = read(cut(HEAD + b"\r\n" + b"".join(pieces), places))
    assert not answers.is_over
    assert answers.close()
    assert b"".join(answers.pieces) == b"".join(pieces)
    assert not answers.keeps


@settings(deadline=None)
@given(PIECES, PLACES, st.binary(min_size=1, max_size=60))
def test_nothing_behind_an_answer_gets_into_it(
    pieces: list[bytes], places: list[int], behind: bytes
) -> None:
    """Nor into the next: the connection is spoilt, but for what llhttp leaves out, line breaks."""
    answers = read(cut(sized(pieces, b"") + behind, places))
    assert b"".join(answers.pieces) == b"".join(pieces)
    assert answers.is_over
    assert answers.is_spoiled or not behind.strip(b"\r\n")


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    HEAD,
                    b"HTTP/1.1 100 \r\n\r\n",
                    b"Content-Length: 5\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Transfer-Encoding: gzip\r\n",
                    b"Connection: upgrade\r\nUpgrade: x\r\n",
                    b"\r\n",
                    b"5\r\nhello\r\n",
                    b"0\r\n\r\n",
                    b"X: y\r\n" * 70,
                    b"x" * 9000,
                ]
            ),
        ),
        max_size=8,
    ),
    PLACES,
)
def test_whatever_comes_is_an_answer_or_a_fault(parts: list[bytes], places: list[int]) -> None:
    try:
        answers = read(cut(b"".join(parts), places))
    except (HeadTooLarge, httptools.HttpParserError):
        return
    assert len(answers.headers) <= MOST_FIELDS
    assert all(len(value) <= MOST_FIELDS * LONGEST_FIELD for value in answers.headers.values())
    assert not answers.is_over or answers.status


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"HTTP/1.1 200 ", b"x" * 1000),
        (HEAD + b"X: ", b"x" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;", b"x" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"x" * 1000),
    ],
)
def test_what_says_nothing_ends(begin: bytes, again: bytes) -> None:
    times = 2 * MOST_UNSAID // len(again)
    with pytest.raises(HeadTooLarge):
        read([begin, *[again] * times])
