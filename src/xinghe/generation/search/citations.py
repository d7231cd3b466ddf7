"""Citations in a streamed answer (section 5.4): `^[1]^`, `^[1][2]^`, and nothing else.

However the text is cut into reads, what comes out joined is the same.
"""

import re
from collections.abc import Sequence

import msgspec

from xinghe.core import Delta, FinishDelta, TextDelta, ToolCallDelta
from xinghe.search.terms import terms

_STOP = re.compile(r"[^\[【`。！？!?\n.^]+")
"""Text in which nothing begins that matters here."""
_ENDS = frozenset("。！？!?\n")
_SENTENCE_CHARACTERS = 600
"""Of a sentence without an end, these last ones are compared with the sources."""


class CitationFilter(msgspec.Struct):
    """An output processor that holds back only what may be a citation, or the place for one.

    `evidence[i]` is what source i + 1 says. With `enabled`, citations get the documented form,
    those of sources that do not exist go, and a sentence without one gets that of the source that
    says the same. Without it, all of them go. Tokens were counted before.
    """

    evidence: Sequence[str]
    enabled: bool
    cited: tuple[int, ...] = ()
    """The sources that the answer cites, in order of their first citation."""
    held: str = ""
    before: str = ""
    """The last two characters that went out."""
    sentence: str = ""
    """What went out since the last end of a sentence."""
    marked: bool = False
    """Whether that has a citation."""
    pending: list[int] = []
    """Cited before the sentence that it is for."""
    last: int | None = None
    """The source that the line cited last."""
    fence: bool = False
    inline: bool = False
    """Within code."""
    said: list[set[str]] = []
    """The terms of each source, cut once, when a sentence is first compared with them."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            text = ""
            if isinstance(delta, TextDelta):
                text = self.feed(delta.text)
            elif isinstance(delta, FinishDelta | ToolCallDelta):
                text = self.flush()  # what was said before a call comes before it
            if text:
                out.append(TextDelta(text))
            if not isinstance(delta, TextDelta):
                out.append(delta)
        return out

    def feed(self, text: str, *, ended: bool = False) -> str:
        """What may be shown now."""
        text, at = self.held + text, 0
        out: list[str] = []
        while at < len(text):
            plain = _STOP.match(text, at)
            if plain is not None:
                out.append(self._say(plain[0]))
                at = plain.end()
                continue
            step = self._step(text, at, ended)
            if step is None:
                break
            shown, at = step
            out.append(shown)
        self.held = text[at:]
        return "".join(out)

    def flush(self) -> str:
        """What was held back, once the answer has ended."""
        return self.feed("", ended=True) + self._own_citation()

    def _step(self, text: str, at: int, ended: bool) -> tuple[str, int] | None:
        """What becomes of the character at a position; `None`: more text must tell."""
        char = text[at]
        if char == "`":
            end = _run_end(text, at, "`")
            if end == len(text) and not ended:
                return None
            return self._code(text[at:end]), end
        if char in OPENERS:
            return self._citation(text, at, ended)
        if not self.enabled:
            return self._say(char), at + 1
        if at + 1 == len(text) and not ended:
            return None
        return self._end_of_sentence(text, at), at + 1

    def _citation(self, text: str, at: int, ended: bool) -> tuple[str, int] | None:
        end = at
        while end < len(text) and end - at < LONGEST and text[end] in RUN:
            end += 1
        if end == len(text) and not ended:
            return None
        mark = None if self.fence or self.inline else mark_at(text, at, self.before)
        if mark is None:
            return self._say(text[at]), at + 1
        return self._cite(mark.numbers), mark.end

    def _cite(self, numbers: Sequence[int]) -> str:
        kept = [each for each in dict.fromkeys(numbers) if 1 <= each <= len(self.evidence)]
        if not self.enabled or not kept:
            return ""
        if not self.before.strip():
            # Models put it in front of a line too; it belongs to that line's first sentence.
            self.pending = kept
            return ""
        self.cited = tuple(dict.fromkeys((*self.cited, *kept)))
        # Behind a full stop, it belongs to the sentence before.
        self.marked = self.marked or bool(self.sentence.strip())
        self.last, self.before = kept[-1], "]^"
        return "^" + "".join(f"[{each}]" for each in kept) + "^"

    def _end_of_sentence(self, text: str, at: int) -> str:
        char, after = text[at], text[at + 1 : at + 2]
        if char == "." and not (after == "" or after.isspace()):
            return self._say(char)
        # A citation that the model itself puts behind its full stop is enough.
        own = "" if after and after in OPENERS else self._own_citation()
        self.sentence, self.marked = "", False
        self.before = (self.before + char)[-2:]
        if char == "\n":
            self.last, self.inline = None, False
        return own + char

    def _own_citation(self) -> str:
        if self.pending and self.sentence.strip():
            numbers, self.pending = self.pending, []
            return "" if self.marked else self._cite(numbers)
        if self.marked or self.fence or self.inline or not self.enabled:
            return ""
        self.said = self.said or [_terms(text) for text in self.evidence]
        source = supporting(self.sentence, self.said)
        return "" if source is None or source == self.last else self._cite((source,))

    def _code(self, ticks: str) -> str:
        if len(ticks) >= 3:
            self.fence = not self.fence
        elif not self.fence:
            self.inline = not self.inline
        return self._say(ticks)

    def _say(self, text: str) -> str:
        self.before = (self.before + text)[-2:]
        self.sentence = (self.sentence + text)[-_SENTENCE_CHARACTERS:]
        return text


def _run_end(text: str, at: int, char: str) -> int:
    while at < len(text) and text[at] == char:
        at += 1
    return at


RUN = frozenset("0123456789[]^【】,,、 来源资料")
"""The characters that citations are made of, however they are written."""
OPENERS = frozenset("^[【")
LONGEST = 64
"""Characters of one run of citations; what is longer is text."""

# Only characters of RUN may stand here: a match must not depend on what follows its run.
_ONE = r"[0-9]{1,3}(?: ?[,,、] ?[0-9]{1,3})*"
_SURE = (
    rf"\^\[ ?{_ONE} ?\](?: ?\[ ?{_ONE} ?\])*\^?"  # ^[1]^, ^[1][2]^, ^[1]
    rf"|\[\^{_ONE}\^?\]"  # [^1]
    rf"|【 ?(?:来源|资料)? ?{_ONE} ?】"  # 【1】
    rf"|\[(?:来源|资料) ?{_ONE}\]"  # [来源1]
)
_BARE = rf"\[[0-9]{{1,3}}\](?: ?\[[0-9]{{1,3}}\])*\^?|\^{_ONE}\^"  # [1], [1][2], ^1^
_GROUP = re.compile(rf"(?:{_SURE}|{_BARE})(?: ?(?:{_SURE}|{_BARE}))*")
_NUMBER = re.compile(r"[0-9]{1,3}")
WRITTEN = re.compile(r"\^((?:\[[0-9]{1,3}\])+)\^")
"""Citations as they leave: whoever words an answer finds them so."""
_DOUBTFUL = re.compile(r"\[[0-9]|\^[0-9]")

_CODE_BEFORE = re.compile(r"[\w\])\"'`]$|[=(<>+*/:-] ?$", re.ASCII)
"""After these, `[1]` may be an index or a list."""
_CODE_AFTER = frozenset("([:=.+*/<>-")


class Mark(msgspec.Struct, frozen=True):
    """Citations that stand together: the numbers they name, and where they end."""

    numbers: tuple[int, ...]
    end: int


def mark_at(text: str, at: int, before: str) -> Mark | None:
    """The citations that begin at a position, if it is certain that they are some.

    `before` ends with the two characters in front of it, fewer at the beginning. `text` reaches
    at least one character beyond the run, unless it ends there.
    """
    found = _GROUP.match(text, at, at + LONGEST)
    if found is None:
        return None
    if _DOUBTFUL.match(found[0]):
        after = text[found.end() : found.end() + 1]
        if _CODE_BEFORE.search(before) or (after and after in _CODE_AFTER):
            return None
    return Mark(tuple(map(int, _NUMBER.findall(found[0]))), found.end())


LEAST_TERMS = 6
"""A sentence of fewer terms says too little to be told from chance."""
LEAST_SHARE = 0.5
"""The share of a sentence's terms that a source must hold."""


def supporting(sentence: str, sources: Sequence[set[str]]) -> int | None:
    """The number, from 1, of the source whose terms support a sentence best, if one does."""
    said = _terms(sentence)
    if len(said) < LEAST_TERMS:
        return None
    shares = [len(said & source) / len(said) for source in sources]
    best = max(shares, default=0.0)
    return shares.index(best) + 1 if best >= LEAST_SHARE else None


def _terms(text: str) -> set[str]:
    return {term for term in terms(text) if len(term) > 1}
