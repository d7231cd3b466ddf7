"""What a start prints once the service is ready, in the language of the terminal's person."""

from __future__ import annotations

import re
from textwrap import dedent

from msgspec.structs import asdict

from xinghe import __version__
from xinghe.cli.common import called
from xinghe.cli.language import is_chinese, said
from xinghe.columns import padded, width
from xinghe.doctor import computing
from xinghe.supervisor.messages import EngineThreads

MODEL = "ernie-3.5-8k"
"""Of the examples to paste."""

BASE_URLS = (
    ("/llm/lmapi/v3", "照星河文档写的程序", "programs written by Xinghe's documentation"),
    ("/v1", "其他说 OpenAI 的一切", "everything else that speaks OpenAI"),
    ("", "说 Anthropic 的（如 Claude Code）", "what speaks Anthropic, as Claude Code does"),
)
"""What each mount is for: in Chinese, and in English. The longest is the first."""

_INDENT = 14
"""Columns of what stands before an address or a token."""
_WHY = (
    (re.compile(r"(\d+) of (\d+) cores? by affinity"), r"亲和性只给 \2 核中的 \1 核"),
    (re.compile(r"(\d+) cores?"), r"\1 核"),
    (re.compile(r", a CPU quota of "), "，CPU 配额 "),
    (re.compile(r"others use the processor; "), "别的程序在用处理器；"),
    (re.compile(r"the processor is free again; "), "处理器又空闲了；"),
    (re.compile(r"set by embedded\.threads"), "由 embedded.threads 指定"),
    (re.compile(r"not running"), "没有运行"),
)
"""Why an engine computes with so many threads, as it says it itself, in Chinese."""


def addresses(url: str) -> str:
    """The base URLs, each with who takes it."""
    first, *others = [
        (url + mount, chinese if is_chinese() else english) for mount, chinese, english in BASE_URLS
    ]
    most = width(first[0])
    lines = [_named("基础地址", "base URL", f"{first[0]}  {first[1]}")]
    lines += [f"{'':{_INDENT}}{padded(base, most)}  {who}" for base, who in others]
    return "\n".join(lines)


def quickstart(url: str, token: str) -> str:
    """Access token, and the same question by curl and by Python, where `url` is the service's."""
    base = f"{url}/llm/lmapi/v3"
    again = said(
        f"（只显示这一次，服务只存它的哈希；再要一个：{called()} token create）",
        f"(shown this once, and only its hash is stored; more: {called()} token create)",
    )
    examples = dedent(f"""\
        curl {base}/chat/completions \\
          -H "Authorization: Bearer {token}" -H "Content-Type: application/json" \\
          -d '{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "你好"}}]}}'

        # pip install openai
        from openai import OpenAI
        client = OpenAI(base_url="{base}", api_key="{token}")
        answer = client.chat.completions.create(
            model="{MODEL}", messages=[{{"role": "user", "content": "你好"}}]
        )
        print(answer.choices[0].message.content)
        """)
    named = _named("访问令牌", "access token", token)
    return f"{named}\n{'':{_INDENT}}{again}\n\n{examples}"


def engine(state: EngineThreads) -> str:
    """With how many threads an embedded engine computes, why, and how fast that is."""
    if not is_chinese():
        return f"engine {state.deployment}: {computing.text(asdict(state))}"
    why = state.why
    for english, chinese in _WHY:
        why = english.sub(chinese, why)
    line = f"引擎 {state.deployment}：{state.threads} 个线程（{why}）"
    if not state.writes:
        return f"{line}；没有测速"
    with_ = "" if state.measured == state.threads else f"用 {state.measured} 个线程时"
    return (
        f"{line}；{with_}每秒读 {state.reads:.1f} 个、写 {state.writes:.1f} 个 token"
        f"（1,000 个 token 的提示要 {1000 / state.reads:.0f} 秒）"
    )


def metrics(url: str) -> str:
    return said(f"指标：{url}/metrics", f"metrics at {url}/metrics")


def console(url: str) -> str:
    return said(f"控制台：{url}/", f"console at {url}/")


def console_link(link: str) -> str:
    """A link that signs in, with how long it does."""
    again = f"{called()} console link"
    return said(
        f"控制台：{link}\n  （十分钟内打开，只能用一次；再要一个：{again}）",
        f"console at {link}\n  (open it within ten minutes, once; another: {again})",
    )


def clients() -> str:
    return said(
        f"Open WebUI、Codex、Claude Code 等程序的设置：{called()} connect",
        f"settings of Open WebUI, Codex, Claude Code and others: {called()} connect",
    )


def ready(url: str) -> str:
    return said(f"星河 {__version__} 已就绪：{url}", f"Xinghe {__version__} is ready at {url}")


def _named(chinese: str, english: str, value: str) -> str:
    return padded(said(chinese, english), _INDENT) + value
