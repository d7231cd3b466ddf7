"""What the platform tells the built-in model: it is read, and nobody pays for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.conftest import child_of
from tests.kit.api import Api
from tests.kit.expect import answered
from tests.kit.models import ABLE
from tests.kit.tiny import write_tiny
from xinghe.api.chat.capabilities import NOTE
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import EngineRequest, Message, Prompt, Sampling, UsageDelta
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.note import Note

CHATML = """{% for m in messages %}<{{ m.role }}>{{ m.content }}
{% endfor %}<assistant>"""
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
HELLO = [Message("user", "hi")]
OWN = [Message("system", "You are a cat."), *HELLO]


async def prompts(weights: Path, *conversations: list[Message]) -> list[tuple[Prompt, Prompt]]:
    """Each without a note and with one."""
    spec = LlamaCppDeployment(context=4096, slots=1)
    async with child_of(weights, spec) as plain:
        noted = LlamaCppEngine("embedded/tiny", spec, plain, Note("Tiny"))
        noted.locate(plain._address, plain._key)
        found = [(await plain.prepare(each), await noted.prepare(each)) for each in conversations]
        for _, prompt in found:
            request = EngineRequest("as-0123456789", prompt, Sampling(temperature=0.0), 1)
            async for batch in noted.generate(request):
                for delta in batch.deltas:
                    if isinstance(delta, UsageDelta):
                        assert delta.prompt_tokens == prompt.tokens
        await noted.aclose()
    return found


async def test_it_is_read_and_costs_nothing(tmp_path: Path) -> None:
    weights = write_tiny(tmp_path / "tiny.gguf", CHATML, context=4096)
    for plain, noted in await prompts(weights, HELLO, OWN):
        assert (noted.tokens, noted.bound) == (plain.tokens, plain.bound)
        assert noted.ours > 50
        assert isinstance(plain.payload, list)
        assert isinstance(noted.payload, list)
        assert len(noted.payload) == noted.tokens + noted.ours
        # What the client says stands behind it, as it was.
        assert noted.payload[-20:] == plain.payload[-20:]


async def test_a_template_that_takes_no_system_message_has_it_too(tmp_path: Path) -> None:
    """Before the first question: there a child puts a client's own, too."""
    weights = write_tiny(tmp_path / "tiny.gguf", REFUSES + CHATML, context=4096)
    for plain, noted in await prompts(weights, HELLO, OWN):
        assert noted.tokens == plain.tokens
        assert noted.ours > 50


@pytest.mark.embedded
def test_it_is_told_of(api: Api) -> None:
    """To whoever asks who serves, and of the built-in deployment alone."""
    reply = api.chat(
        model="ernie-3.5-8k", messages=[{"role": "user", "content": "hi"}], max_tokens=2
    )
    answered(reply)
    assert reply.headers["x-served-by"].endswith(f", {NOTE}")
    about = api.get("/models/ernie-3.5-8k").json["xinghe"]["capabilities"]["platform"]
    assert "Qwen2.5-Coder-0.5B-Instruct" in about["note"]
    assert "百度" in about["note"]
    assert "note" not in api.get(f"/models/{ABLE}").json["xinghe"]["capabilities"]["platform"]
