"""What the examples of the reference send, by operation."""

from __future__ import annotations

from typing import Any

import msgspec

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


class Client(msgspec.Struct, frozen=True):
    """How OpenAI's own clients ask: a call, its argument, and what is done with the answer."""

    call: str
    python: str
    node: str
    argument: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One request. `extra` of its body is what OpenAI's Python client knows nothing of."""

    title: Told = Told("请求示例", "Example")
    body: dict[str, Any] | None = None
    extra: dict[str, Any] = {}
    query: dict[str, str] = {}
    places: dict[str, str] = {}
    client: Client | None = None
    streamed: bool = False


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
    "auth.password": (Sample(body={"name": "li-si", "password": "correct horse battery"}),),
    "auth.token": (Sample(body={"token": "xh-…"}),),
    "auth.link_in": (Sample(body={"code": "…"}),),
    "auth.join": (
        Sample(body={"name": "li-si", "password": "correct horse battery", "invitation": "xhi-…"}),
    ),
    "auth.change_password": (
        Sample(body={"current": "correct horse battery", "new": "another long password"}),
    ),
    "auth.accept": (Sample(body={"invitation": "xhi-…"}),),
    "auth.link": (Sample(body={}),),
    "auth.oidc": (Sample(body={"name": "li-si"}),),
    "auth.oidc_callback": (Sample(query={"code": "…", "state": "…"}),),
    "members.list": (Sample(query={"name": "li", "limit": "50"}),),
    "members.create": (Sample(body={"name": "li-si", "tokens": 1_000_000}),),
    "members.change": (Sample(body={"disabled": True}, places={"member": "li-si"}),),
    "backups.check": (Sample(places={"backup": "xinghe-20261130T020000Z.backup"}),),
    "wallets.list": (Sample(query={"order": "most", "limit": "50"}),),
    "paying_wallets.set": (Sample(body={"order": ["class-1", "own"]}, places={"member": "li-si"}),),
    "tokens.create": (
        Sample(
            body={"name": "homework", "models": ["ernie-3.5-8k"], "expires_at": "2027-07-01"},
            places={"member": "li-si"},
        ),
    ),
    "tokens.change": (Sample(body={"models": ["ernie-3.5-8k"]}, places={"token": "abcdefghij"}),),
    "groups.create": (Sample(body={"name": "class-1"}),),
    "groups.change": (Sample(body={"models": ["ernie-3.5-8k"]}, places={"group": "class-1"}),),
    "memberships.add": (
        Sample(body={"member": "li-si", "role": "member"}, places={"group": "class-1"}),
    ),
    "memberships.change": (
        Sample(body={"role": "manager"}, places={"group": "class-1", "member": "li-si"}),
    ),
    "memberships.move": (
        Sample(body={"group": 2}, places={"group": "class-1", "member": "li-si"}),
    ),
    "people.list": (
        Sample(query={"order": "month", "zone": "Asia/Shanghai"}, places={"group": "class-1"}),
    ),
    "people.spending": (
        Sample(
            query={"since": "2026-11-01", "until": "2026-11-30", "zone": "Asia/Shanghai"},
            places={"group": "class-1"},
        ),
    ),
    "people.limit": (
        Sample(
            body={
                "members": ["li-si", "wang-wu"],
                "amount": 50_000,
                "per": "month",
                "zone": "Asia/Shanghai",
            },
            places={"group": "class-1"},
        ),
    ),
    "invitations.create": (Sample(body={"uses": 30}, places={"group": "class-1"}),),
    "wallets.grant": (
        Sample(body={"amount": 1_000_000, "reason": "第一学期"}, places={"wallet": "1"}),
    ),
    "wallets.transfer": (
        Sample(
            body={"to_member": "wang-wu", "amount": 5_000, "reason": "小组作业"},
            places={"wallet": "1"},
        ),
    ),
    "wallets.redeem": (
        Sample(body={"code": "XH-7K3M9-2QWER-TY8PA-SDFGH-JKZXH"}, places={"wallet": "1"}),
    ),
    "codes.create": (
        Sample(
            body={
                "name": "开学礼包",
                "amount": 50_000,
                "count": 100,
                "expires_at": "2027-12-31",
                "valid_days": 90,
            }
        ),
    ),
    "packages.create": (
        Sample(
            body={"name": "入门套餐", "tokens": 1_000_000, "price": 9.9, "valid_days": 90},
        ),
    ),
    "packages.change": (Sample(body={"price": 8.8}, places={"package": "1"}),),
    "orders.place": (Sample(body={"package": 1}, places={"wallet": "1"}),),
    "orders.list": (Sample(query={"state": "open"}),),
    "orders.confirm": (
        Sample(body={"reference": "20261130-0001"}, places={"order": "0123456789ABCDEF"}),
    ),
    "orders.refund": (
        Sample(
            body={"tokens": 500_000, "reason": "课程取消", "reference": "20261201-0001"},
            places={"order": "0123456789ABCDEF"},
        ),
    ),
    "budgets.create": (
        Sample(body={"member": "li-si", "unit": "tokens", "amount": 50_000, "per": "day"}),
    ),
    "budgets.change": (Sample(body={"amount": 80_000}, places={"budget": "1"}),),
    "config.set": (
        Sample(body={"tree": {"models": {"ernie-3.5-8k": {"input_ratio": 0.5}}}, "note": "降价"}),
    ),
    "config.change": (
        Sample(body={"patch": {"models": {"ernie-3.5-8k": {"rpm": 600}}}, "validate_only": True}),
    ),
    "config.revert": (Sample(body={"version": 1, "note": "价格写错了"}),),
    "safety.check": (Sample(body={"text": "今天天气怎么样？"}),),
    "audit.list": (Sample(query={"limit": "50"}),),
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
