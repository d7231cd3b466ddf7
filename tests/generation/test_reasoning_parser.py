"""Chains of thought between tags, wherever the reads are cut."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from xinghe.core import Delta, FinishDelta, FinishReason, ReasoningDelta, TextDelta
from xinghe.generation.reasoning_parser import CLOSE, OPEN, ReasoningParser

END = FinishDelta(FinishReason.NORMAL)


def split(text: str, sizes: list[int], *, inside: bool = False) -> tuple[str, str, int]:
    """The thought, the answer and all tokens, when `text` comes in pieces of those sizes."""
    splitter = ReasoningParser(inside=inside)
    out: list[Delta] = []
    at = 0
    for size in [*sizes, len(text)]:
        out += splitter([TextDelta(text[at : at + size])])
        at += size
    out += splitter([END])
    assert out[-1] == END
    thought = "".join(d.text for d in out if isinstance(d, ReasoningDelta))
    answer = "".join(d.text for d in out if isinstance(d, TextDelta))
    kinds = [type(d) for d in out if isinstance(d, ReasoningDelta | TextDelta) and d.text]
    assert kinds == sorted(kinds, key=lambda kind: kind is TextDelta), "a thought after the answer"
    tokens = sum(d.tokens for d in out if isinstance(d, ReasoningDelta | TextDelta))
    assert tokens == len(sizes) + 1
    return thought, answer, tokens


CUTS = st.lists(st.integers(0, 9), max_size=20)
PLAIN = st.text(st.sampled_from("ab <>/think\n思"), max_size=30)


@given(PLAIN.filter(lambda text: CLOSE not in text), PLAIN, CUTS)
@example("想</thin", "答", [1] * 20)
def test_thought_then_answer(thought: str, answer: str, cuts: list[int]) -> None:
    shown = split(f"\n{OPEN}\n{thought}\n{CLOSE}\n\n{answer}", cuts)
    assert shown[:2] == (thought.strip(), answer.lstrip())


@given(
    PLAIN.filter(lambda text: CLOSE not in text and not text.lstrip().startswith(OPEN)), PLAIN, CUTS
)
def test_thought_that_the_prompt_opened(thought: str, answer: str, cuts: list[int]) -> None:
    assert split(f"{thought}{CLOSE}{answer}", cuts, inside=True)[:2] == (
        thought.strip(),
        answer.lstrip(),
    )


@given(PLAIN.filter(lambda text: CLOSE not in text), PLAIN, CUTS)
def test_thought_that_is_opened_twice(thought: str, answer: str, cuts: list[int]) -> None:
    """By the prompt, and by a model that does not know it."""
    shown = split(f"{OPEN}\n{thought}{CLOSE}{answer}", cuts, inside=True)
    assert shown[:2] == (thought.strip(), answer.lstrip())


@given(PLAIN.filter(lambda text: CLOSE not in text), CUTS)
@example("<thin", [1, 1, 1])
def test_opened_thought_that_never_ends(thought: str, cuts: list[int]) -> None:
    assert split(thought, cuts, inside=True)[:2] == (thought.strip().removeprefix(OPEN).strip(), "")


@given(PLAIN.filter(lambda text: not text.lstrip().startswith(OPEN)), CUTS)
@example("<thin", [1, 1, 1])
@example("<b>think</b>", [])
def test_answer_without_a_thought_is_untouched(answer: str, cuts: list[int]) -> None:
    assert split(answer, cuts)[:2] == ("", answer)


@given(PLAIN, PLAIN.filter(lambda text: bool(text.strip())), CUTS)
def test_later_tags_are_text(thought: str, answer: str, cuts: list[int]) -> None:
    later = f"{answer.strip()}{OPEN}x{CLOSE}"
    head = f"{OPEN}{thought.replace(CLOSE, '')}{CLOSE}"
    assert split(head + later, cuts)[1] == later


@given(PLAIN.filter(lambda text: CLOSE not in text), CUTS)
def test_thought_that_never_ends(thought: str, cuts: list[int]) -> None:
    assert split(f"{OPEN}{thought}", cuts)[:2] == (thought.strip(), "")


def test_engine_that_tells_them_apart_by_itself() -> None:
    splitter = ReasoningParser(inside=False)
    deltas: list[Delta] = [ReasoningDelta("想"), TextDelta("<think>是一个标签")]
    assert splitter(deltas) == deltas
