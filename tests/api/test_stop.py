"""`stop`: honoured by the platform itself, on every model, wherever a hit falls."""

from __future__ import annotations

import time

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, malformed
from tests.kit.models import CHAT
from tests.kit.pace import allowed
from tests.kit.script import Script
from tests.kit.upstream import Upstream

# (pieces, stop, what the client gets, why it ended)
CASES = [
    (["ab", "STOP", "cd"], "STOP", "ab", "stop"),
    (["ab", "STOP", "cd"], ["none", "STOP"], "ab", "stop"),
    (["a", "b S", "T", "OP c", "d"], "STOP", "ab ", "stop"),
    (["a", "S", "ST", "OP"], "STOP", "aS", "stop"),
    (["a", "STO", "x"], "STOP", "aSTOx", "normal"),
    (["a", "STO"], "STOP", "aSTO", "normal"),
    (["STOP", "a"], "STOP", "", "stop"),
    (["one STOP two END"], ["END", "STOP"], "one ", "stop"),
    (["你好", "。再", "见"], "。再见", "你好", "stop"),
    (["a", "\n", "\n", "b"], "\n\n", "a", "stop"),
]


@pytest.mark.parametrize(("pieces", "stop", "text", "reason"), CASES)
def test_answer_ends_before_the_stop(
    api: Api, pieces: list[str], stop: str | list[str], text: str, reason: str
) -> None:
    asked = {"model": CHAT, "messages": Script(pieces=pieces).messages, "stop": stop}
    (choice,) = answered(api.chat(**asked))["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, reason)


@pytest.mark.parametrize(("pieces", "stop", "text", "reason"), CASES)
def test_stream_never_shows_a_part_of_the_stop(
    api: Api, pieces: list[str], stop: str | list[str], text: str, reason: str
) -> None:
    # What was shown cannot be recalled: so the whole of what was shown must be the answer.
    asked = {"model": CHAT, "messages": Script(pieces=pieces).messages, "stop": stop}
    stream = api.stream(**asked)
    assert (stream.content, stream.finish_reason) == (text, reason)
    assert stream.done


def test_upstream_is_cancelled_when_a_stop_is_hit(api: Api, upstream: Upstream) -> None:
    script = Script(pieces=["a", "STOP", *(["tail"] * 2000)], rate=20)
    start = time.monotonic()
    assert api.stream(model=CHAT, messages=script.messages, stop="STOP").content == "a"
    assert time.monotonic() - start < allowed(3)
    seen = upstream.received(script)
    assert seen.done.wait(60)
    assert seen.gone_at is not None


def test_text_is_held_back_no_longer_than_it_must(api: Api) -> None:
    script = Script(pieces=["S", "x", *(["."] * 20)], rate=10)
    with api.streaming(model=CHAT, messages=script.messages, stop="STOP") as (stream, live):
        for event in live:
            stream.take(event)
            if "x" in stream.content:
                break
    assert stream.content.startswith("Sx")
    assert len(stream.content) < 15


def test_long_stop_is_refused_where_documented(api: Api) -> None:
    malformed(api.chat(model=CHAT, stop="x" * 21), "stop", 20)
    answered(api.chat(model=CHAT, stop="x" * 20))
    malformed(api.chat(model=CHAT, stop=["ok", "x" * 21]), "stop", 20)


def test_long_stop_at_the_strict_mount(api: Api) -> None:
    stop = "0123456789" * 3
    script = Script(pieces=["a", stop[:15], stop[15:], "b"])
    body = answered(api.at(STRICT).chat(model=CHAT, messages=script.messages, stop=stop))
    assert body["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_at_most_four(api: Api, mount: str) -> None:
    answered(api.at(mount).chat(model=CHAT, stop=["1", "2", "3", "4"]))
    malformed(api.at(mount).chat(model=CHAT, stop=["1", "2", "3", "4", "5"]), "stop", 4)


def test_wrong_type(api: Api) -> None:
    malformed(api.chat(model=CHAT, stop=7), "stop")
    malformed(api.chat(model=CHAT, stop=["ok", 7]), "stop")


WORDS = [{"role": "user", "content": "Repeat exactly: alpha beta gamma delta"}]


@pytest.mark.embedded
def test_on_the_embedded_engine(api: Api) -> None:
    asked = {"model": "ernie-speed-8k", "messages": WORDS, "max_tokens": 20, "temperature": 0}
    whole = answered(api.chat(**asked))["choices"][0]["message"]["content"]
    cut = whole[3:6]
    stream = api.stream(**asked, stop=[cut])
    assert stream.content == whole.split(cut)[0]
    assert stream.finish_reason == "stop"


@pytest.mark.embedded
def test_on_a_model_that_the_source_excepts(api: Api) -> None:
    stops = ["a", "e", " ", "的"]
    reasons = set()
    for _ in range(8):  # it takes no seed, and an answer may end without one of them ("αβγδ")
        reply = api.chat(
            model="ernie-x1-32k-preview",
            messages=WORDS,
            max_tokens=20,
            thinking_budget=16,
            stop=stops,
        )
        (choice,) = answered(reply)["choices"]
        assert not any(stop in choice["message"]["content"] for stop in stops)
        assert "stop" not in reply.headers.get("x-ignored-parameters", "")
        reasons.add(choice["finish_reason"])
        if "stop" in reasons:
            break
    assert "stop" in reasons
