"""Reads a text character by character, in both alphabets, and says what stands in it."""

from xinghe.safety.folding import LEET_TEXT, LEETISH, PLAIN
from xinghe.safety.phrases import Automaton
from xinghe.safety.reading import Hit, Reading
from xinghe.safety.verdict import Verdict


class Reader:
    """What stands in a text from `at` on, fed in pieces; how it is cut does not matter.

    `found` are the banned phrases that nothing shields so far, `shields` those that shield, both
    in the order of their ends.
    """

    __slots__ = (
        "_at",
        "_leet",
        "_pair",
        "_plain",
        "_previous",
        "_readings",
        "_sign",
        "found",
        "shields",
    )

    def __init__(self, automaton: Automaton, at: int = 0) -> None:
        self.found: list[Hit] = []
        self.shields: list[Hit] = []
        self._at = at  # The characters read.
        self._plain = Reading(automaton, PLAIN, at)
        self._leet: Reading | None = None
        self._readings = [self._plain]
        self._previous = " "
        self._sign = -1  # Where the last digit or sign stands that may be a letter,
        self._pair = -1  # and the last one beside a letter, or that letter if it comes first.

    @property
    def safe(self) -> int:
        """Up to where the text may be shown; never less than before."""
        safe = self._at
        for reading in self._readings:
            for start, _, _, state in reading.walks:
                if state.own:
                    safe = min(safe, start)
                elif state.near:
                    safe = min(safe, self._at - 1)
            for hit in reading.open:
                if hit.phrase.flag:
                    safe = min(safe, hit.cut)
        for hit in self.found:
            safe = min(safe, hit.cut)
        return safe

    def verdict(self) -> Verdict | None:
        """On the phrase that begins first, the most severe of those that begin there.

        `None` while a shield may yet cover it, or an earlier one come to be.
        """
        if not self.found:
            return None
        first = min(hit.start for hit in self.found)
        if any(reading.has_begun_by(first) for reading in self._readings):
            return None
        worst = max((h for h in self.found if h.start == first), key=lambda hit: hit.phrase.flag)
        return worst.verdict

    def read(self, text: str) -> None:
        """Take a piece."""
        low = 0
        while low < len(text):
            sign = LEETISH.search(text, low)
            if self._leet is None and (sign is None or sign.start() > low):
                high = sign.start() if sign else len(text)
                if hits := self._plain.read(text[low:high], self._at):
                    self._take(hits)
                self._previous = text[high - 1]
            else:
                high = low + 1
                self._read_sign(text[low], sign is not None and sign.start() == low)
            self._at += high - low
            low = high

    def end(self) -> None:
        """The text is over: what is not complete never will be."""
        for reading in self._readings:
            hits = reading.ended()
            self._take([h for h in hits if reading is self._plain or h.start <= self._pair])
            reading.walks = []

    def _read_sign(self, raw: str, is_sign: bool) -> None:
        """Take a character that is a sign, or stands where one matters, in both ways."""
        leet = self._leet
        if leet is None:
            leet = self._leet = self._plain.as_leet(self._sign + 1)
            self._readings = [self._plain, leet]
        if is_sign:
            self._sign = self._at
        if LEET_TEXT.search(self._previous + raw):
            self._pair = self._at - 1
        hits = [hit for hit in leet.read(raw, self._at) if hit.start <= self._pair]
        hits += self._plain.read(raw, self._at)
        self._take(sorted(hits, key=lambda hit: hit.end))
        self._previous = raw
        if not leet.has_begun_by(self._sign) and leet.stands_as(self._plain):
            self._leet = None
            self._readings = [self._plain]

    def _take(self, hits: list[Hit]) -> None:
        for hit in hits:
            if not hit.phrase.flag:
                self.shields.append(hit)
                recent = _behind(self.found, hit.start)
                self.found[recent:] = [h for h in self.found[recent:] if not hit.shields(h)]
            else:
                recent = _behind(self.shields, hit.end - 1)
                if not any(shield.shields(hit) for shield in self.shields[recent:]):
                    self.found.append(hit)


def _behind(hits: list[Hit], at: int) -> int:
    """From which one on hits, which come in the order of their ends, end behind `at`."""
    place = len(hits)
    while place and hits[place - 1].end > at:
        place -= 1
    return place
