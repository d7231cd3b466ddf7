"""Events that differ in nothing but a text, read together.

One such event is read as any other is. What stands in it before and behind its text is remembered,
and an event that has the same around another text can say nothing else.
"""

from collections.abc import Iterator, Sequence

import msgspec

from xinghe.outbound import UNREADABLE
from xinghe.text_run import LONG, TextRun

_texts = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.encode


class Runs:
    """Of one answer."""

    def __init__(self) -> None:
        self._before = self._behind = b""

    def learn(self, event: bytes, content: msgspec.Raw) -> TextRun | None:
        """What this event says, which is nothing but the text of its `content`.

        `None` where no other can be told to be like it.
        """
        text = bytes(content)
        if event.count(text) != 1:
            return None  # it is not known which of them it is
        self._before, _, self._behind = event.partition(text)
        return self._read([event])

    def groups(self, events: Sequence[bytes]) -> Iterator[tuple[TextRun | None, Sequence[bytes]]]:
        """All events, those that can be read together with what they say."""
        at = 0
        while at < len(events):
            end = self._end(events, at)
            if end == at:
                at += 1
                yield None, events[at - 1 : at]
            else:
                some = events[at:end]
                at = end
                yield self._read(some), some

    def _end(self, events: Sequence[bytes], at: int) -> int:
        """Where the events end that are like the one that was learnt, from the one `at` on."""
        before, behind = self._before, self._behind
        while before and at < len(events):
            event = events[at]
            if not (event.startswith(before) and event.endswith(behind)):
                break
            at += 1
        return at

    def _read(self, events: Sequence[bytes]) -> TextRun | None:
        """What these say, which are all alike; `None` where one is to be read by itself."""
        first, last = len(self._before), -len(self._behind)
        escaped = [event[first:last] for event in events]
        joined = b",\n".join(escaped)
        if joined.count(b"\n") != len(events) - 1:
            return None
        try:
            # No text of JSON holds a line end: each of the texts is of one event.
            texts = _texts(b"[" + joined + b"]")
        except UNREADABLE:
            return None
        if len(texts) != len(events) or max(map(len, texts)) > LONG:
            return None
        text = "".join(texts)
        if len(text.encode()) + 4 * len(texts) - 2 != len(joined):
            # There are escapes, which may be others than ours, or white space.
            escaped = list(map(_encode, texts))
        if "" in texts:
            texts, escaped = [each for each in texts if each], [e for e in escaped if e != b'""']
        return TextRun(text, texts, escaped)
