"""Stop strings: the answer ends where the first of them is complete, however it was cut."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from xinghe.generation.filter import StopFilter

# Two letters and short strings make overlaps, which long random text never has.
TEXTS = st.text("ab字", max_size=24)
STOPS = st.lists(st.text("ab字", min_size=1, max_size=4), max_size=4)


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def reference(text: str, stops: list[str]) -> tuple[str, str]:
    """Character by character, as a model without chunks would be stopped."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, ""


def scan(pieces: list[str], stops: list[str]) -> tuple[str, str]:
    scanner = StopFilter(stops)
    shown = ""
    for piece in pieces:
        visible, stop = scanner.feed(piece)
        shown += visible
        if stop:
            assert scanner.flush() == ""
            return shown, stop
    return shown + scanner.flush(), ""


@given(TEXTS, STOPS, st.lists(st.integers(0, 30), max_size=8))
@example("xabcd", ["abcd", "bc"], [4])
@example("aab", ["ab"], [1, 2])
def test_cuts_change_nothing(text: str, stops: list[str], places: list[int]) -> None:
    assert scan(cut(text, places), stops) == scan([text], stops) == reference(text, stops)


@given(TEXTS, STOPS)
def test_no_stop_string_is_ever_shown(text: str, stops: list[str]) -> None:
    shown, found = scan(list(text), stops)
    assert not any(stop in shown for stop in stops)
    assert bool(found) == any(stop in text for stop in stops)


@given(TEXTS, STOPS)
def test_nothing_is_kept_that_cannot_become_a_stop(text: str, stops: list[str]) -> None:
    """A reader waits for a character only as long as it may belong to a stop string."""
    scanner = StopFilter(stops)
    shown, found = scanner.feed(text)
    if not found:
        kept = text.removeprefix(shown)
        assert kept == "" or any(stop.startswith(kept) for stop in stops)


@given(TEXTS)
def test_without_stops_all_passes_at_once(text: str) -> None:
    assert StopFilter(()).feed(text) == (text, "")
