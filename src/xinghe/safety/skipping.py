"""Where in a text a phrase may begin: most of it is passed over without being read further."""

from __future__ import annotations

from itertools import compress

from xinghe.safety.folding import OTHER, STRONG, UNSPACED, WEAK
from xinghe.safety.phrases import Automaton

AT_ONCE = 512
"""Characters that are looked through by one call: whoever stops at each pays for no more."""
FAR = 96
"""Characters that are looked at for one phrase; a longer one is left to whoever reads on."""
NO_WORD = WEAK + STRONG + OTHER


def begins(automaton: Automaton, marks: str, low: int) -> int:
    """The first place from `low` on where a phrase may begin, else how far was looked.

    `marks` are the text's characters, each as its alphabet marks it. May name a place where none
    does: whatever is not plain is left to whoever reads on from there.
    """
    step, root = automaton.step, automaton.root
    last, high = len(marks) - 1, min(len(marks), low + AT_ONCE)
    # What is looked at for each character is done by the interpreter's own loops.
    looked_at = marks[low:high]
    if (other := looked_at.find(OTHER)) >= 0:
        high = low + other
    for at in compress(range(low, high), map(root.firsts.__contains__, looked_at)):
        char = marks[at]
        state = root.after.get(char) or step(root, char)
        assert state is not None, "a phrase begins with it"
        if at < last and not (state.loose or state.ended):
            second = marks[at + 1]
            if second not in state.firsts and second not in NO_WORD:
                continue
        # A word of a script with spaces is not looked for within another.
        before = marks[at - 1] if at > low else WEAK
        within = char < UNSPACED and before not in NO_WORD and before < UNSPACED
        if not within and _goes_on(automaton, marks, at):
            return at
    return high


def _goes_on(automaton: Automaton, marks: str, at: int) -> bool:
    """Whether a phrase that begins at `at` is complete within the text, or may be behind it."""
    step, state = automaton.step, automaton.root
    word = parted = False
    for char in marks[at : at + FAR]:
        if char in (WEAK, STRONG):
            parted = True
            continue
        if char == OTHER:
            return True
        spaced = char < UNSPACED
        if parted and word and spaced:
            following = state.after.get(" ") or step(state, " ")
            if following is None or not following.items:
                return following is not None and bool(following.ended)
            state = following
        following = state.after.get(char) or step(state, char)
        if following is None:
            return False
        if following.ended:
            return True
        if not following.items:
            return False
        state, word, parted = following, spaced, False
    return True
