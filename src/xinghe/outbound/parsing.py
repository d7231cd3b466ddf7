"""An answer as it comes over the wire, read by llhttp under limits of our own."""

from __future__ import annotations

import httptools

MOST_FIELDS, LONGEST_FIELD = 64, 8190
"""Limits of an answer's head, and of what follows its body: so many fields, of so many bytes."""
MOST_UNSAID = 256 * 1024
"""Bytes that may come without any of the body: heads, however many, and what dresses chunks."""


class HeadTooLarge(Exception):
    """More fields, or longer ones, than an answer has."""


class Answers:
    """The answers of one connection, one after the other; `begin` before each.

    `pieces` are what has come of the body and was not taken. `headers` have their names in lower
    case. `is_over` tells that the answer has ended, and `keeps` that another may follow.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self._parser = httptools.HttpResponseParser(self)
        # What many servers do, and what every client takes of an answer.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self.is_spoiled = False
        """Something has come that nobody had asked for."""
        self.begin()
        self.is_over = True  # nothing was asked

    def begin(self) -> None:
        """A request is sent: what comes from now on is its answer."""
        self.status = 0
        """Known once the head has come."""
        self.headers: dict[bytes, bytes] = {}
        self.is_over = self.keeps = False
        self._is_ended_by_close = False
        self._fields = self._unsaid = 0
        self.pieces.clear()

    @property
    def length(self) -> int:
        """How long the body says it is; 0 where it does not."""
        return int(self.headers.get(b"content-length", b"0"))

    def feed(self, data: bytes | memoryview) -> None:
        """Raises `HeadTooLarge`, `httptools.HttpParserError`."""
        if self.is_over:
            self.is_spoiled = True
            return
        said = len(self.pieces)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # to a protocol that nobody has asked for
            self.is_over = self.is_spoiled = True
        except httptools.HttpParserError as error:
            # What follows a whole answer does it no harm.
            self.is_spoiled = True
            if not self.is_over:
                ours = isinstance(error.__context__, HeadTooLarge)
                raise HeadTooLarge if ours else error from None
        self._unsaid = self._unsaid + len(data) if said == len(self.pieces) else 0
        if self._unsaid > MOST_UNSAID and not self.is_over:
            raise HeadTooLarge

    def close(self) -> bool:
        """The connection was closed; whether that ends the answer, as it does without a length."""
        if self.status and self._is_ended_by_close:
            self.is_over = True
        return self.is_over

    # What the parser calls, beside `on_body`.

    def on_message_begin(self) -> None:
        if self.is_over:
            raise RuntimeError("nobody has asked for another answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MOST_FIELDS or max(len(name), len(value)) > LONGEST_FIELD:
            raise HeadTooLarge
        if self.status:
            return  # behind the body
        name = name.lower()
        before = self.headers.get(name)
        self.headers[name] = value if before is None else before + b", " + value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            return  # the answer itself follows
        self.keeps = self._parser.should_keep_alive()
        has_end = status in (101, 204, 304) or b"content-length" in self.headers
        coding = self.headers.get(b"transfer-encoding", b"").lower()
        self._is_ended_by_close = not (has_end or coding.rstrip().endswith(b"chunked"))
        self.status = status

    def on_message_complete(self) -> None:
        if self.status:
            self.is_over = True
        else:
            self.headers.clear()
