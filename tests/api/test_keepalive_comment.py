"""While the engine is silent, an SSE comment keeps the connection (here: every 0.5 s)."""

from __future__ import annotations

from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.script import Script


def test_comments_during_a_long_prefill(api: Api) -> None:
    script = Script(delay=1.8)
    stream = api.stream(model=CHAT, messages=script.messages)
    assert len(stream.comments) >= 2
    assert stream.content == script.text
    assert stream.done


def test_comments_between_two_tokens(api: Api) -> None:
    script = Script(pieces=["一", "二"], rate=0.8)
    stream = api.stream(model=CHAT, messages=script.messages)
    assert stream.comments
    assert stream.content == script.text


def test_none_while_text_flows(api: Api) -> None:
    script = Script(pieces=["字"] * 10, rate=20)
    assert api.stream(model=CHAT, messages=script.messages).comments == []
