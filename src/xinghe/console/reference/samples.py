"""What the examples of the reference send, by operation."""

from __future__ import annotations

from xinghe.console.reference.operator_samples import OF_OPERATORS
from xinghe.console.reference.sample import Client, Sample
from xinghe.console.reference.told import Told

_SAY = "answer.choices[0].message.content"
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "查询一个城市的天气",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


_SHOWS_TEXT = Client("chat.completions.create", f"print({_SAY})", f"console.log({_SAY});")
_SHOWS_VECTOR = "answer.data[0].embedding"

SAMPLES: dict[str, tuple[Sample, ...]] = {
    "chat": (
        Sample(
            Told("一问一答", "Question and answer"),
            {
                "model": "ernie-3.5-8k",
                "messages": [
                    {"role": "system", "content": "你是一位耐心的助教。"},
                    *_user("用一句话介绍北京。"),
                ],
            },
            client=_SHOWS_TEXT,
        ),
        Sample(
            Told("流式输出", "Streaming"),
            {"model": "ernie-3.5-8k", "messages": _user("写一首四行的短诗。"), "stream": True},
            client=Client(
                "chat.completions.create",
                "for chunk in answer:\n"
                "    if chunk.choices:\n"
                '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
                "for await (const chunk of answer) {\n"
                '  process.stdout.write(chunk.choices[0]?.delta.content ?? "");\n}',
            ),
            streamed=True,
        ),
        Sample(
            Told("函数调用", "Function call"),
            {
                "model": "deepseek-v3",
                "messages": _user("北京今天天气怎么样？"),
                "tools": [_WEATHER],
            },
            client=Client(
                "chat.completions.create",
                "print(answer.choices[0].message.tool_calls or answer.choices[0].message.content)",
                "console.log(answer.choices[0].message.tool_calls ?? "
                "answer.choices[0].message.content);",
            ),
        ),
        Sample(
            Told("联网搜索", "Web search"),
            {"model": "ernie-4.5-turbo-32k", "messages": _user("星河大模型API怎么计费？")},
            extra={"web_search": {"enable": True, "enable_trace": True}},
            client=_SHOWS_TEXT,
        ),
    ),
    "chat_check": (
        Sample(
            body={
                "model": "ernie-4.5-turbo-32k",
                "messages": _user("《史记》写成于哪一天？"),
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"properties": {"日期": {"type": "string", "format": "date"}}},
                },
            },
        ),
    ),
    "responses": (
        Sample(
            Told("一问一答", "Question and answer"),
            {
                "model": "ernie-3.5-8k",
                "instructions": "你是一位耐心的助教。",
                "input": "用一句话介绍北京。",
            },
            client=Client(
                "responses.create", "print(answer.output_text)", "console.log(answer.output_text);"
            ),
        ),
        Sample(
            Told("流式输出", "Streaming"),
            {"model": "ernie-3.5-8k", "input": "写一首四行的短诗。", "stream": True},
            client=Client(
                "responses.create",
                "for event in answer:\n"
                '    if event.type == "response.output_text.delta":\n'
                '        print(event.delta, end="", flush=True)',
                "for await (const event of answer) {\n"
                '  if (event.type === "response.output_text.delta") {\n'
                "    process.stdout.write(event.delta);\n  }\n}",
            ),
            streamed=True,
        ),
    ),
    "messages": (
        Sample(
            Told("一问一答", "Question and answer"),
            {
                "model": "ernie-3.5-8k",
                "max_tokens": 256,
                "system": "你是一位耐心的助教。",
                "messages": _user("用一句话介绍北京。"),
            },
        ),
    ),
    "count_tokens": (
        Sample(body={"model": "ernie-3.5-8k", "messages": _user("用一句话介绍北京。")}),
    ),
    "completions": (
        Sample(
            body={"model": "ernie-3.5-8k", "prompt": "用一句话介绍北京。", "max_tokens": 64},
            client=Client(
                "completions.create",
                "print(answer.choices[0].text)",
                "console.log(answer.choices[0].text);",
            ),
        ),
    ),
    "moderations": (
        Sample(
            body={"input": ["用一句话介绍北京。"]},
            client=Client(
                "moderations.create",
                "print(answer.results[0].flagged)",
                "console.log(answer.results[0].flagged);",
            ),
        ),
    ),
    "tokenize": (Sample(body={"model": "ernie-3.5-8k", "prompt": "用一句话介绍北京。"}),),
    "embeddings": (
        Sample(
            body={"model": "bge-large-zh", "input": ["推荐一些美食", "给我讲个故事"]},
            client=Client(
                "embeddings.create",
                f"print(len({_SHOWS_VECTOR}), {_SHOWS_VECTOR}[:3])",
                f"console.log({_SHOWS_VECTOR}.length, {_SHOWS_VECTOR}.slice(0, 3));",
            ),
        ),
    ),
    "rerank": (
        Sample(
            body={
                "model": "bge-large-zh",
                "query": "怎样退款",
                "documents": ["七天内可以退款。", "今天天气很好。"],
                "top_n": 1,
            },
        ),
    ),
    "images": (
        Sample(
            body={"model": "Stable-Diffusion-XL", "prompt": "一只白猫，红帽子"},
            extra={"steps": 20},
            client=Client(
                "images.generate", "print(answer.data[0].url)", "console.log(answer.data[0].url);"
            ),
        ),
    ),
    "models": (
        Sample(
            client=Client(
                "models.list",
                "for model in answer:\n    print(model.id)",
                "for await (const model of answer) console.log(model.id);",
            ),
        ),
    ),
    "model": (
        Sample(
            places={"id": "ernie-3.5-8k"},
            client=Client(
                "models.retrieve", "print(answer)", "console.log(answer);", "ernie-3.5-8k"
            ),
        ),
    ),
    "account": (Sample(query={"zone": "Asia/Shanghai"}),),
    "entries": (
        Sample(Told("最近的收支", "The latest entries"), query={"limit": "20"}),
        Sample(Told("下载成表格", "As a table"), query={"format": "csv"}),
    ),
    "usage": (
        Sample(
            Told("每天每个模型", "By day and model"),
            query={"interval": "day", "by": "model", "zone": "Asia/Shanghai"},
        ),
    ),
    "requests": (Sample(query={"limit": "20"}),),
    "request": (Sample(places={"id": "as-0123456789"}),),
    "bill": (
        Sample(Told("这个月到现在", "The running month"), query={"zone": "Asia/Shanghai"}),
        Sample(Told("下载成表格", "As a table"), query={"month": "2026-10", "format": "csv"}),
    ),
    "billing_usage": (Sample(query={"start_date": "2026-11-01", "end_date": "2026-12-01"}),),
    **OF_OPERATORS,
}
_PLACES = {
    "id": "resp_0123456789",
    "member": "li-si",
    "group": "class-1",
    "token": "abcdefghij",
    "wallet": "1",
    "budget": "1",
    "package": "1",
    "order": "0123456789ABCDEF",
    "invitation": "1",
    "version": "1",
    "batch": "1",
}


def samples(name: str, places: list[str]) -> tuple[Sample, ...]:
    """Those of an operation; one without a body needs no more than what stands in its path."""
    return SAMPLES.get(name) or (Sample(places={each: _PLACES[each] for each in places}),)
