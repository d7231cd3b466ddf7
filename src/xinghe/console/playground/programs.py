"""The very request of the page, as programs that send it: Python, Node and curl."""

from __future__ import annotations

from typing import Any

from xinghe.console.layout.snippet import Snippet
from xinghe.console.reference.programs import KEY_FROM, literal

NOT_OF_THE_CLIENT = {"penalty_score", "thinking_budget", "web_search"}
"""What OpenAI's client for Python sends only as `extra_body`."""


def programs(base_url: str, body: dict[str, Any]) -> list[Snippet]:
    """What is put in are values of the languages' own: no text can end one early."""
    return [
        Snippet("python", "Python", "pip install openai", _python(base_url, body)),
        Snippet("node", "Node.js", "npm install openai", _node(base_url, body)),
        Snippet("curl", "curl", "", _curl(base_url, body)),
    ]


def _python(base_url: str, body: dict[str, Any]) -> str:
    extra = {name: value for name, value in body.items() if name in NOT_OF_THE_CLIENT}
    given = {name: value for name, value in body.items() if name not in extra}
    lines = [f"    {name}={literal(value, 'python', 4)},\n" for name, value in given.items()]
    if extra:
        lines.append(f"    extra_body={literal(extra, 'python', 4)},\n")
    return (
        "import os\n\nfrom openai import OpenAI\n\n"
        f"client = OpenAI(\n    base_url={literal(base_url, 'python', 4)},\n"
        f'    api_key=os.environ["{KEY_FROM}"],\n)\n'
        f"stream = client.chat.completions.create(\n{''.join(lines)})\n"
        "for chunk in stream:\n    if chunk.choices:\n"
        '        print(chunk.choices[0].delta.content or "", end="", flush=True)\n'
    )


def _node(base_url: str, body: dict[str, Any]) -> str:
    return (
        'import OpenAI from "openai";\n\nconst client = new OpenAI({\n'
        f"  baseURL: {literal(base_url, 'node', 2)},\n  apiKey: process.env.{KEY_FROM},\n}});\n"
        f"const stream = await client.chat.completions.create({literal(body, 'node', 0)});\n"
        "for await (const chunk of stream) {\n"
        '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}\n'
    )


def _curl(base_url: str, body: dict[str, Any]) -> str:
    data = literal(body, "json", 2).replace("'", "'\\''")
    return (
        f"curl -N '{base_url}/chat/completions' \\\n"
        f'  -H "Authorization: Bearer ${KEY_FROM}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d '{data}'\n"
    )
