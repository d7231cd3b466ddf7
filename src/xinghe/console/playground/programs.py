"""The very request of the page, as programs that send it: Python, Node and curl."""

from __future__ import annotations

import copy
import re
import secrets
from typing import Any
from urllib.parse import unquote

import msgspec

from xinghe.console.layout.snippet import Snippet
from xinghe.console.reference.programs import KEY_FROM, literal

NOT_OF_THE_CLIENT = {"penalty_score", "thinking_budget", "web_search"}
"""What OpenAI's client for Python sends only as `extra_body`."""

_PYTHON_CALLS = (
    "        for call in choice.delta.tool_calls or []:\n"
    '            print(call.function.name or "", call.function.arguments or "", end="")\n'
)
_NODE_CALLS = (
    "  for (const call of delta?.tool_calls ?? []) {\n"
    '    process.stdout.write(`${call.function.name ?? ""}${call.function.arguments ?? ""}`);\n'
    "  }\n"
)
"""What prints the calls of tools."""
_PYTHON_PICTURE = (
    '\n\ndef picture(path, kind):\n    with open(path, "rb") as file:\n'
    '        return f"data:{kind};base64,{base64.b64encode(file.read()).decode()}"\n\n\n'
)
_NODE_PICTURE = (
    'const picture = (path, kind) =>\n  `data:${kind};base64,${readFileSync(path, "base64")}`;\n'
)
"""What reads a picture from its file."""
PICTURE = re.compile(r"data:(image/[a-z]{1,8});name=([^;,]{1,2000});base64,")
"""The URL of a picture that has a name, and no bytes."""


def programs(base_url: str, body: dict[str, Any]) -> list[Snippet]:
    """What is put in are values of the languages' own: no text can end one early.

    Pictures whose URL has a name and no bytes are read from files.
    """
    body, files = _with_places(body)
    return [
        Snippet("python", "Python", "pip install openai", _python(base_url, body, files)),
        Snippet("node", "Node.js", "npm install openai", _node(base_url, body, files)),
        Snippet("curl", "curl", "", _curl(base_url, body, files)),
    ]


class _File(msgspec.Struct, frozen=True):
    """A picture: where its URL stands in the body, and of what it is made."""

    place: str
    kind: str
    name: str


def _with_places(body: dict[str, Any]) -> tuple[dict[str, Any], list[_File]]:
    """The body with a word that stands nowhere else for the URL of each picture."""
    files: list[_File] = []
    body = copy.deepcopy(body)
    for message in _objects(body.get("messages")):
        for part in _objects(message.get("content")):
            for shown in _objects([part.get("image_url")]):
                if found := PICTURE.fullmatch(str(shown.get("url"))):
                    place = f"picture {secrets.token_hex(8)}"
                    files.append(_File(place, found[1], unquote(found[2])))
                    shown["url"] = place
    return body, files


def _objects(value: Any) -> list[dict[str, Any]]:
    """Those of a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _python(base_url: str, body: dict[str, Any], files: list[_File]) -> str:
    extra = {name: value for name, value in body.items() if name in NOT_OF_THE_CLIENT}
    given = {name: value for name, value in body.items() if name not in extra}
    lines = [f"    {name}={literal(value, 'python', 4)},\n" for name, value in given.items()]
    if extra:
        lines.append(f"    extra_body={literal(extra, 'python', 4)},\n")
    call = "".join(lines)
    for each in files:
        read = f"picture({literal(each.name, 'python', 0)}, {literal(each.kind, 'python', 0)})"
        call = call.replace(f'"{each.place}"', read)
    return (
        ("import base64\n" if files else "") + "import os\n\nfrom openai import OpenAI\n\n"
        f"client = OpenAI(\n    base_url={literal(base_url, 'python', 4)},\n"
        f'    api_key=os.environ["{KEY_FROM}"],\n)\n'
        + (_PYTHON_PICTURE if files else "")
        + f"stream = client.chat.completions.create(\n{call})\n"
        "for chunk in stream:\n    for choice in chunk.choices:\n"
        '        print(choice.delta.content or "", end="", flush=True)\n'
        + (_PYTHON_CALLS if body.get("tools") else "")
    )


def _node(base_url: str, body: dict[str, Any], files: list[_File]) -> str:
    call = literal(body, "node", 0)
    for each in files:
        read = f"picture({literal(each.name, 'node', 0)}, {literal(each.kind, 'node', 0)})"
        call = call.replace(f'"{each.place}"', read)
    return (
        ('import { readFileSync } from "node:fs";\n\n' if files else "")
        + 'import OpenAI from "openai";\n\nconst client = new OpenAI({\n'
        f"  baseURL: {literal(base_url, 'node', 2)},\n  apiKey: process.env.{KEY_FROM},\n}});\n"
        + (_NODE_PICTURE if files else "")
        + f"const stream = await client.chat.completions.create({call});\n"
        "for await (const chunk of stream) {\n  const delta = chunk.choices[0]?.delta;\n"
        '  process.stdout.write(delta?.content ?? "");\n'
        + (_NODE_CALLS if body.get("tools") else "")
        + "}\n"
    )


def _curl(base_url: str, body: dict[str, Any], files: list[_File]) -> str:
    data = _quoted(literal(body, "json", 2))
    for each in files:
        # An argument has room for 128 KB, so the body comes through a pipe.
        read = f"'; base64 < {_quoted(each.name)} | tr -d '\\n'; printf %s '"
        data = data.replace(each.place, f"data:{each.kind};base64,{read}")
    return (
        (f"{{ printf %s {data}; }} | \\\n" if files else "")
        + f"curl -N '{base_url}/chat/completions' \\\n"
        f'  -H "Authorization: Bearer ${KEY_FROM}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d " + ("@-" if files else data) + "\n"
    )


def _quoted(text: str) -> str:
    """One word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
