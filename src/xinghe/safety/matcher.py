"""What the lexicon and the operator's lists say of a text, whole or while it streams.

Finds phrases whatever stands between their characters, what shields them, and the words that make
an unsafe request where they stand together.
"""

from collections.abc import Iterable, Mapping

from xinghe.safety.combinations import Combinations
from xinghe.safety.folding import LEET_TEXT, LEETISH, PLAIN
from xinghe.safety.lexicon import combinations_by, lexicon
from xinghe.safety.lists import phrases_of
from xinghe.safety.phrases import Automaton, Phrase
from xinghe.safety.reading import Hit, Reading
from xinghe.safety.verdict import Place, Verdict
from xinghe.settings import SafetyFlags

_WORST = 4


class Judge:
    """The lexicon and the operator's lists, in force at one moment.

    `builtin=False` leaves the lists alone; `flags` tell how severe the lexicon's categories are.
    `lists` are the operator's by name, as bytes.
    """

    def __init__(self, flags: SafetyFlags, *, builtin: bool, lists: Mapping[str, bytes]) -> None:
        self._flags = flags
        self._combinations = combinations_by(flags) if builtin else Combinations(())
        self.matcher = Matcher((*(lexicon(flags) if builtin else ()), *phrases_of(lists)))

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding, or `None`. Takes any string, surrogates included.

        Answers are looked through for phrases alone, as while they stream: combinations of words
        tell what is asked, not what is told.
        """
        found = self.matcher.check(text)
        if place == "answer" or (found and found.flag == _WORST):
            return found
        names = set(self._combinations.categories(text))
        if names and self.matcher.allows:
            names &= set(self._combinations.categories(self.matcher.without_allowed(text)))
        for name in sorted(names):
            flag = getattr(self._flags, name)
            if found is None or flag > found.flag:
                found = Verdict(flag, name)
        return found


class Matcher:
    """A set of phrases, ready to be looked for; never changed once made."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        known = tuple(phrases)
        self.size = sum(phrase.size for phrase in known)
        self.allows = any(phrase.own and not phrase.flag for phrase in known)
        self.automaton = Automaton(known)

    def check(self, text: str) -> Verdict | None:
        """The most severe finding, the earliest of equals."""
        found = StreamScanner(self, text).found
        worst = max(found, key=lambda hit: (hit.phrase.flag, -hit.start), default=None)
        return worst.verdict if worst else None

    def without_allowed(self, text: str) -> str:
        """A text without what the operator's exceptions cover."""
        rest, at = "", 0
        for hit in sorted(StreamScanner(self, text).shields, key=lambda hit: hit.start):
            if hit.phrase.own:
                rest += text[at : max(at, hit.start)]
                at = max(at, hit.end)
        return rest + text[at:]


class StreamScanner:
    """Looks through one text, `whole` or fed in pieces; how it is cut does not matter.

    `found` are the banned phrases that nothing shields so far, `shields` those that shield, both
    in the order of their ends. Text that no phrase can end in may be shown at once.
    """

    __slots__ = (
        "_at",
        "_held",
        "_leet",
        "_pair",
        "_plain",
        "_previous",
        "_readings",
        "_sign",
        "_verdict",
        "found",
        "shields",
    )

    def __init__(self, matcher: Matcher, whole: str = "") -> None:
        self.found: list[Hit] = []
        self.shields: list[Hit] = []
        self._at = 0  # The characters read.
        self._held = ""
        self._verdict: Verdict | None = None
        self._plain = Reading(matcher.automaton, PLAIN)
        self._leet: Reading | None = None
        self._readings = [self._plain]
        self._previous = " "
        self._sign = -1  # Where the last digit or sign stands that may be a letter,
        self._pair = -1  # and the last one beside a letter, or that letter if it comes first.
        if whole:
            self._read(whole)
            self._end()

    def feed(self, text: str) -> tuple[str, Verdict | None]:
        """What may be shown now, and the finding that ends the text, if there is one.

        That is the phrase which begins first, the most severe of those that begin there.
        """
        if self._verdict or not text:
            return "", self._verdict
        self._read(text)
        return self._shown(self._held + text)

    def flush(self) -> tuple[str, Verdict | None]:
        """What was held back, once no more comes, and the finding in it, if any."""
        if self._verdict:
            return "", self._verdict
        self._end()
        return self._shown(self._held)

    def _shown(self, text: str) -> tuple[str, Verdict | None]:
        """Of what was not shown yet: as much whatever the pieces, since it never becomes less."""
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
        size = max(0, len(text) - (self._at - safe))
        self._held = text[size:]
        if self.found:
            self._verdict = self._certain()
        return text[:size], self._verdict

    def _certain(self) -> Verdict | None:
        """`None` while a shield may yet cover the finding, or an earlier one come to be."""
        first = min(hit.start for hit in self.found)
        if any(reading.has_begun_by(first) for reading in self._readings):
            return None
        worst = max((h for h in self.found if h.start == first), key=lambda hit: hit.phrase.flag)
        return worst.verdict

    def _read(self, text: str) -> None:
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

    def _end(self) -> None:
        """What is not complete never will be."""
        for reading in self._readings:
            hits = reading.ended()
            self._take([h for h in hits if reading is self._plain or h.start <= self._pair])
            reading.walks = []

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
