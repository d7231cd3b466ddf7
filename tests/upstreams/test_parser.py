"""Every dialect in-process: cut at every byte, and in every dress that events may wear."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.upstreams.fixtures import FOLDER, Wanted, cases, dialects, played
from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    Prompt,
    ReasoningDelta,
    RefusalDelta,
    Sampling,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)
from xinghe.engines.calls import settled
from xinghe.engines.chunks import Chunks
from xinghe.outbound.response import EventParser

STREAMS = [name for name, form in played() if form == "stream"]
PROMPT = {"messages": [{"role": "user", "content": "hi"}], "tools": []}


def events_of(pieces: Iterable[bytes]) -> list[bytes]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.end()


def deltas_of(events: list[bytes], at_once: int) -> tuple[list[Delta], bool]:
    """What the events say, so many at once, and whether they broke off."""
    job = EngineRequest("as-0", Prompt(10, 20, exact=False, payload=PROMPT), Sampling(), 1000)
    chunks, deltas = Chunks(job, "up"), list[Delta]()
    groups = [events[at : at + at_once] for at in range(0, len(events), at_once)]
    for group in [*groups, []]:
        if not chunks.ended and chunks.failure is None:
            deltas += chunks.deltas(group)
    return deltas, chunks.failure is not None


def check(wanted: Wanted, deltas: list[Delta], broke_off: bool) -> None:
    said = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    names: dict[int, str] = {}
    arguments: dict[int, list[str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            names[delta.index] = names.get(delta.index) or delta.name or ""
            arguments.setdefault(delta.index, []).append(delta.arguments)
    refusal = "".join(delta.text for delta in deltas if isinstance(delta, RefusalDelta))
    assert (thought, said, refusal) == (wanted.thought, wanted.text, wanted.refusal)
    assert [(names[at], settled(arguments[at])) for at in sorted(names)] == wanted.calls
    assert broke_off == (wanted.ends == "error")
    if broke_off:
        return
    last = deltas[-1]
    assert isinstance(last, FinishDelta)
    # Where it called, what it says of its end is not what counts.
    assert wanted.calls or last.reason == ("refusal" if wanted.refusal else wanted.ends)
    counts = [delta for delta in deltas if isinstance(delta, UsageDelta)]
    if wanted.usage:
        count = counts[-1]
        found = [count.prompt_tokens, count.completion_tokens, count.cached_tokens]
        found.append(count.reasoning_tokens or 0)
        assert found[: len(wanted.usage)] == wanted.usage
    else:
        assert not counts
        assert sum(getattr(delta, "tokens", 0) for delta in deltas) == wanted.counted


@pytest.mark.parametrize("path", list(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_each_dialect_names_its_pages(path: Path) -> None:
    dialect = dialects()[path.stem]
    assert dialect.pages
    assert all(page.startswith("https://") for page in dialect.pages)
    assert dialect.says
    for case in dialect.case:
        assert case.stream or case.whole
        if case.whole:
            json.loads(case.body("whole"))


@pytest.mark.parametrize("name", STREAMS)
def test_no_cut_makes_a_difference(name: str) -> None:
    body = cases()[name].body("stream")
    expected = events_of([body])
    assert expected
    for at in range(1, len(body)):
        assert events_of([body[:at], body[at:]]) == expected, at
    assert events_of(body[at : at + 1] for at in range(len(body))) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_what_comes_out(name: str) -> None:
    case = cases()[name]
    events = events_of([case.body("stream")])
    check(case.wanted, *deltas_of(events, at_once=1))
    check(case.wanted, *deltas_of(events, at_once=len(events)))


def between(mark: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(b"\n\n", b"\n\n" + mark) + b"\n"


DRESSES: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "no space": lambda body: body.replace(b"data: ", b"data:"),
    "comments": between(b": x\n\n"),
    "spaces to stay alive": between(b" \n\n"),
    "names, ids, times": lambda body: body.replace(b"data:", b"event: m\nid: 1\nretry: 9\ndata:"),
    "a space behind": lambda body: body.replace(b"\n\n", b" \n\n"),
    "events that say nothing": between(b"data: {}\n\ndata: null\n\ndata:\n\n"),
    "its end twice": lambda body: body + b"\ndata: [DONE]\n\n",
    "what cannot be read behind its end": lambda body: (
        body + b"\ndata: [DONE]\n\ndata: {\n\n" if b"[DONE]" in body else body
    ),
    "no last empty line": lambda body: body.rstrip(b"\n") + b"\n",
    "no last line end": lambda body: body.rstrip(b"\n"),
}


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
def test_what_comes_out_in_any_dress(dress: Callable[[bytes], bytes]) -> None:
    for name in STREAMS:
        case = cases()[name]
        try:
            check(case.wanted, *deltas_of(events_of([dress(case.body("stream"))]), at_once=1))
        except AssertionError as error:
            raise AssertionError(name) from error


def test_two_events_share_a_character() -> None:
    events = [
        b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}',
        b'{"choices":[{"delta":{"content":"\\ude00b"}}]}',
        b"[DONE]",
    ]
    check(Wanted(text="a\U0001f600b", counted=2), *deltas_of(events, at_once=1))
