"""What the lexicon and the operator's lists say of a text, whole or while it streams.

Finds phrases whatever stands between their characters, what shields them, and the words that make
an unsafe request where they stand together.
"""

from collections.abc import Iterable, Mapping

from xinghe.safety.combinations import Combinations
from xinghe.safety.lexicon import combinations_by, lexicon
from xinghe.safety.lists import phrases_of
from xinghe.safety.phrases import Automaton, Phrase
from xinghe.safety.reader import Reader
from xinghe.safety.reading import Hit
from xinghe.safety.sieve import Sieve
from xinghe.safety.verdict import Place, Verdict
from xinghe.settings import SafetyFlags

AT_ONCE = 240
"""Characters that are sifted by one call."""
MOST_PASSED = 1000
"""Characters that are remembered, about."""
READ_AT_ONCE = 24
"""Characters that are read together where they hold something: longer texts are parted."""
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
        self.sieve = Sieve(known)

    def check(self, text: str) -> Verdict | None:
        """The most severe finding, the earliest of equals."""
        found = StreamScanner(self).found_in(text)
        worst = max(found, key=lambda hit: (hit.phrase.flag, -hit.start), default=None)
        return worst.verdict if worst else None

    def without_allowed(self, text: str) -> str:
        """A text without what the operator's exceptions cover."""
        reader = Reader(self.automaton)
        reader.read(text)
        reader.end()
        rest, at = "", 0
        for hit in sorted(reader.shields, key=lambda hit: hit.start):
            if hit.phrase.own:
                rest += text[at : max(at, hit.start)]
                at = max(at, hit.end)
        return rest + text[at:]


class StreamScanner:
    """Looks through one text, fed in pieces; how it is cut does not matter.

    Text that no phrase can end in may be shown at once. What the sieve passes is not read: a reader
    is begun where it does not, far enough before that every phrase, and every shield, which goes
    on there begins behind its first character.
    """

    __slots__ = ("_at", "_held", "_holds", "_matcher", "_passed", "_reader", "_row", "_verdict")

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._at = 0  # The characters taken.
        self._row = ""  # What the sieve has to know of them.
        self._passed = ""  # The last of them, which were not read.
        self._reader: Reader | None = None  # Has read what is before these, if there is one.
        self._holds = False  # Whether something is found or under way, and so is read on.
        self._held = ""
        self._verdict: Verdict | None = None

    def feed(self, text: str) -> tuple[str, Verdict | None]:
        """What may be shown now, and the finding that ends the text, if there is one.

        That is the phrase which begins first, the most severe of those that begin there.
        """
        if self._verdict or not text:
            return "", self._verdict
        self._take_all(text, shown=True)
        return self._shown(text) if self._holds or self._held else (text, None)

    def flush(self) -> tuple[str, Verdict | None]:
        """What was held back, once no more comes, and the finding in it, if any."""
        if self._verdict:
            return "", self._verdict
        if self._reader and self._holds:
            self._reader.end()
        return self._shown("")

    def found_in(self, text: str) -> list[Hit]:
        """All that stands in a whole text, if nothing was fed before."""
        self._take_all(text, shown=False)
        if self._reader is None or not self._holds:
            return []
        self._reader.end()
        return self._reader.found

    def _take_all(self, text: str, *, shown: bool) -> None:
        if not self._matcher.sieve.helps:
            self._read(text)
            return
        low = 0
        while len(text) - low > AT_ONCE:
            self._take(text[low : low + AT_ONCE], shown=False)
            low += AT_ONCE
        self._take(text[low:] if low else text, shown=shown)

    def _take(self, text: str, *, shown: bool) -> None:
        row, may_stand = self._matcher.sieve.sift(self._row, text, shown=shown)
        if not (may_stand or self._holds):
            self._row = row
            self._at += len(text)
            self._passed += text
            if len(self._passed) > MOST_PASSED:
                self._forget()
        elif len(text) > READ_AT_ONCE:
            for low in range(0, len(text), READ_AT_ONCE):
                piece = text[low : low + READ_AT_ONCE]
                self._take(piece, shown=shown and low + READ_AT_ONCE >= len(text))
        else:
            self._row = row
            self._read(text)

    def _forget(self) -> None:
        """Keep of what was passed no more than a phrase may reach into."""
        last = self._matcher.sieve.last_of(self._passed)
        if len(last) < len(self._passed):
            self._passed, self._reader = last, None

    def _read(self, text: str) -> None:
        self._forget()
        if self._reader is None:
            self._reader = Reader(self._matcher.automaton, self._at - len(self._passed))
        self._reader.read(self._passed + text)
        self._passed = ""
        self._at += len(text)
        self._holds = self._reader.safe < self._at

    def _shown(self, fresh: str) -> tuple[str, Verdict | None]:
        """Of what was not shown yet: as much whatever the pieces, since it never becomes less."""
        text, self._held = self._held + fresh, ""
        if self._reader and self._holds:
            size = max(0, len(text) - (self._at - self._reader.safe))
            text, self._held = text[:size], text[size:]
            self._verdict = self._reader.verdict()
        return text, self._verdict
