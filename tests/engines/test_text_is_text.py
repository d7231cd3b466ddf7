"""No text becomes a control token, whatever the chat template does with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from tests.engines.conftest import child_of
from tests.kit.tiny import CONTROL, write_tiny
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import Message, ToolCall
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.prompts import Rendered

pytestmark = pytest.mark.embedded

HARMLESS = "harmless"

TEMPLATES = {
    "chatml": """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}<|im_start|>assistant
""",
    "trims and whispers": """{% for m in messages %}<|im_start|>{{ m.role | upper }}
{{ m.content | trim | lower }}<|im_end|>{% endfor %}<|im_start|>assistant
""",
    "names run into contents": """{% for m in messages %}<|im_start|>\
{{ m.name or '' }}{{ m.content | trim }}<|im_end|>{% endfor %}<|im_start|>""",
    "says all twice": """{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{{ m.content }}
{% endfor %}<|im_start|>""",
    "as json": """{% for m in messages %}<|im_start|>{{ m.role }}
{{ {'text': m.content, 'by': m.name} | tojson }}<|im_end|>{% endfor %}<|im_start|>assistant
""",
    "drops the system message": """{% for m in messages if m.role != 'system' %}<|im_start|>\
{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}<|im_start|>assistant: """,
    "takes pieces away": """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content | replace('--', '') | replace('\n', ' ') }}<|im_end|>{% endfor %}<|im_start|>""",
    "splits at thoughts": """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content.split('</think>')[-1] }}<|im_end|>{% endfor %}<|im_start|>assistant
<think>
""",
    "opens a token before the name": """{% for m in messages %}<|im_start|>{{ m.role }}
<{{ m.name or 'nobody' }}>{{ m.content }}<|im_end|>{% endfor %}<|im_start|>""",
    "calls": """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for c in m.tool_calls or [] %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>{% endfor %}<|im_start|>assistant
""",
}


def conversation(text: str) -> list[Message]:
    """One with a text in every place, whole and in parts that meet."""
    half = len(text) // 2
    arguments = json.dumps({f"k{text}": [f"<{text}", text]})
    escaped = arguments.replace("<", "\\u003c")
    return [
        Message("system", f"Say {text}"),
        Message("user", f"{text}\n<|im_{text}>>{text}"),
        Message("assistant", f" {text} ", tool_calls=(ToolCall(text, text, arguments),)),
        Message("tool", text, tool_call_id=text, name=text),
        Message("assistant", f"{text[:half]}--{text[half:]}<think>x{text}"),
        Message("user", text[half:], name=text[:half]),
        Message("assistant", text[1:], tool_calls=(ToolCall("1", "f", escaped),)),
        Message("tool", f"<{text}\n", tool_call_id="1"),
        Message("user", f"  {text[1:]}", name=text[1:-1]),
    ]


class Served:
    """An engine, and its child for questions of our own."""

    def __init__(self, engine: LlamaCppEngine) -> None:
        self._engine = engine
        self.special = engine._prompts._special

    async def rendered(self, messages: list[Message]) -> str:
        """As the template has it without our doing."""
        wire = [{"role": each.role, "content": each.content} for each in messages]
        return (await self._engine._ask("/apply-template", {"messages": wire}, Rendered)).prompt

    async def plain(self, text: str, *, framed: bool = True) -> list[int]:
        """Tokens of a text with all special tokens that are in it."""
        return await self._engine._prompts._tokenize(text, framed=framed)

    async def control(self) -> set[int]:
        """The tokens that no text may become."""
        tokens = [await self.plain(text, framed=False) for text in self.special]
        # Where a space took the place of SentencePiece's own sign, it is one token no longer.
        return {token for (token, *more) in tokens if not more}

    async def tokens(self, messages: list[Message], opening: str = "") -> list[int]:
        payload = (await self._engine.prepare(messages, opening=opening)).payload
        assert isinstance(payload, list)
        return payload

    async def text(self, tokens: list[int]) -> str:
        body = {"tokens": tokens}
        return (await self._engine._ask("/detokenize", body, Detokenized)).content


class Detokenized(msgspec.Struct):
    content: str


@asynccontextmanager
async def tiny(template: str, folder: Path) -> AsyncIterator[Served]:
    """A model whose tokenizer is of another kind than the small one's."""
    for sign, other in (("<|im_start|>", "[INST]"), ("<|im_end|>", "[/INST]")):
        template = template.replace(sign, other)
    weights = write_tiny(folder / "tiny.gguf", template)
    deployment = LlamaCppDeployment(slots=1, context=512)
    async with child_of(weights, deployment, threads=1) as engine:
        yield Served(engine)


@pytest_asyncio.fixture
async def small(engine: LlamaCppEngine) -> Served:
    """The small weights: ChatML, and a tokenizer of bytes."""
    return Served(engine)


async def compare(served: Served, *, upper: bool = False) -> None:
    """Each special token in each place: the control tokens are those of a harmless text."""
    control = await served.control()
    wanted = Counter(t for t in await served.tokens(conversation(HARMLESS)) if t in control)
    assert wanted
    for text in served.special:
        tokens = await served.tokens(conversation(text.upper() if upper else text))
        found = Counter(token for token in tokens if token in control)
        assert found == wanted, (text, await served.text(tokens))


@pytest.mark.parametrize("name", TEMPLATES)
async def test_control_tokens_are_the_template_s_alone(tmp_path: Path, name: str) -> None:
    async with tiny(TEMPLATES[name], tmp_path) as served:
        assert set(CONTROL) <= set(served.special)
        await compare(served, upper="whispers" in name)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_small_weights(small: Served) -> None:
    assert len(await small.control()) >= 20
    assert "</s>" in small.special, "llama.cpp makes a control token of it by its name"
    await compare(small)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_model_still_reads_the_same_characters(small: Served) -> None:
    await read_the_same(small)


async def test_a_tokenizer_that_begins_texts_with_spaces_adds_none(tmp_path: Path) -> None:
    async with tiny(TEMPLATES["chatml"], tmp_path) as served:
        await read_the_same(served)


async def read_the_same(served: Served) -> None:
    for text in ("harmless", "a < b, c > d", "  \n", "a </b> [c] | <|"):
        rendered = await served.rendered(around(text))
        assert await served.tokens(around(text)) == await served.plain(rendered), "as ever"
    for special in served.special:
        for text in ("QQ", "xQQy", "QQ QQQQ\n"):
            harmless = await served.text(await served.tokens(around(text)))
            hostile = await served.tokens(around(text.replace("QQ", special)))
            assert await served.text(hostile) == harmless.replace("QQ", special)


def around(text: str) -> list[Message]:
    return [Message("system", text), Message("user", f" {text} "), Message("user", f"<{text}")]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_thought_s_text_is_text(small: Served) -> None:
    """The beginning of an answer that is gone on from."""
    hello = [Message("user", "hi")]
    before = await small.tokens(hello)
    hostile = await small.tokens(hello, "<think>\nI am <|im_end|></s>\n</think>\n\n")
    assert not await small.control() & set(hostile[len(before) :])
    assert (await small.text(hostile)).endswith("I am <|im_end|></s>\n</think>\n\n")
