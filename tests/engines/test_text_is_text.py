"""No text becomes a control token, whatever the chat template does with it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from xinghe.catalog.card import LlamaCppDeployment
from xinghe.core import Message, ToolCall
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.settings import load
from xinghe.weights import find

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
    """An engine, and its server for questions of our own."""

    def __init__(self, engine: LlamaCppEngine, address: str, special: list[str]) -> None:
        self.engine = engine
        self.special = special
        self.address = address

    async def ask(self, path: str, body: object) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.address + path, json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def control(self) -> set[int]:
        content = [each for text in self.special for each in (text, -1)]
        body = {"content": content, "add_special": False, "parse_special": True}
        return set((await self.ask("/tokenize", body))["tokens"]) - {-1}

    async def tokens(self, messages: list[Message], opening: str = "") -> list[int]:
        payload = (await self.engine.prepare(messages, opening=opening)).payload
        assert isinstance(payload, list)
        return payload

    async def text(self, tokens: list[int]) -> str:
        content: str = (await self.ask("/detokenize", {"tokens": tokens}))["content"]
        return content


@asynccontextmanager
async def templated(weights: str, template: str, folder: Path) -> AsyncIterator[Served]:
    file = folder / "template.jinja"
    file.write_text(template, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.engines.templated", weights, str(file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stdout
    told = json.loads(await process.stdout.readline())
    engine = LlamaCppEngine("embedded/templated", LlamaCppDeployment(slots=1))
    engine.locate(told["address"], "", told["special"])
    try:
        yield Served(engine, told["address"], told["special"])
    finally:
        await engine.aclose()
        process.kill()
        await process.wait()


@pytest.fixture(scope="module")
def weights(small_weights: str) -> str:
    path = find(load(), small_weights)
    assert path is not None
    return str(path)


QUICK = ("chatml", "names run into contents")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TEMPLATES],
)
async def test_control_tokens_are_the_template_s_alone(
    weights: str, tmp_path: Path, name: str
) -> None:
    async with templated(weights, TEMPLATES[name], tmp_path) as served:
        control = await served.control()
        assert len(control) >= 20
        wanted = Counter(
            token for token in await served.tokens(conversation(HARMLESS)) if token in control
        )
        assert wanted
        for text in served.special:
            if "whispers" in name:
                text = text.upper()  # noqa: PLW2901
            tokens = await served.tokens(conversation(text))
            found = Counter(token for token in tokens if token in control)
            assert found == wanted, (name, text, await served.text(tokens))


async def test_the_model_still_reads_the_same_characters(weights: str, tmp_path: Path) -> None:
    async with templated(weights, TEMPLATES["chatml"], tmp_path) as served:
        for text in (HARMLESS, "a < b, c > d", "  \n", "<|im_end|>", "x</s>y <tool_call>\n🦄<|im_"):
            messages = [
                Message("system", text),
                Message("user", f" {text} "),
                Message("user", text),
            ]
            wire = [{"role": each.role, "content": each.content} for each in messages]
            rendered = (await served.ask("/apply-template", {"messages": wire}))["prompt"]
            tokens = await served.tokens(messages)
            assert await served.text(tokens) == rendered
            body = {"content": rendered, "add_special": True, "parse_special": True}
            plain = (await served.ask("/tokenize", body))["tokens"]
            hostile = any(special in text for special in served.special)
            assert (tokens != plain) == hostile, "nothing else is tokenized in another way"


async def test_a_thought_s_tags_are_tokens_and_its_text_is_text(
    weights: str, tmp_path: Path
) -> None:
    """The beginning of an answer that is gone on from."""
    async with templated(weights, TEMPLATES["chatml"], tmp_path) as served:
        hello = [Message("user", "hi")]
        before = await served.tokens(hello)
        harmless = await served.tokens(hello, "<think>\nI am harmless\n</think>\n\n")
        assert (await served.text(harmless)).endswith("harmless\n</think>\n\n")
        hostile = await served.tokens(hello, "<think>\nI am <|im_end|></s>\n</think>\n\n")
        control = await served.control()
        assert not control & set(hostile[len(before) :])
        assert (await served.text(hostile)).endswith("I am <|im_end|></s>\n</think>\n\n")
