"""Examples as programs: in Python and Node by the official client where it can, and as curl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width
from urllib.parse import quote, urlencode

import msgspec

from xinghe.console.layout.snippet import Snippet
from xinghe.console.reference.contract import Operation
from xinghe.console.reference.sample import Sample

KEY_FROM = "AI_STUDIO_API_KEY"
SESSION_FROM = "XINGHE_SESSION"
"""Environment variables that hold what a program shows for its right."""
WIDTH = 76
"""Columns of a line, but for what closes around it."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def programs(operation: Operation, sample: Sample, base_url: str) -> list[Snippet]:
    """The programs that send a sample to the service at this base URL."""
    path = operation.paths[0]
    for name, value in sample.places.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = urlencode(sample.query, quote_via=quote, safe=":,/")
    request = Request(
        sample,
        operation.method,
        base_url + path + (f"?{query}" if query else ""),
        base_url + ("/v1" if path.startswith("/v1/") else path.partition("/v3")[0] + "/v3"),
        SESSION_FROM if operation.session else KEY_FROM if operation.scopes else "",
    )
    return written(request)


class Request(msgspec.Struct, frozen=True):
    """What goes over the wire. `base_url` is that of OpenAI's clients; `secret` the environment
    variable with what shows its right, empty where none is needed.
    """

    sample: Sample
    method: str
    url: str
    base_url: str
    secret: str = KEY_FROM

    @property
    def body(self) -> dict[str, Any] | None:
        sample = self.sample
        return None if sample.body is None else {**sample.body, **sample.extra}


def written(request: Request) -> list[Snippet]:
    """A request as programs. Values are those of the languages' own: no text ends one early."""
    by_client = request.sample.client is not None
    python = _by_python_client(request) if by_client else _python(request)
    node = _by_node_client(request) if by_client else _node(request)
    return [
        Snippet("python", "Python", "pip install openai" if by_client else "", python),
        Snippet("node", "Node.js", "npm install openai" if by_client else "", node),
        Snippet("curl", "curl", "", _curl(request)),
    ]


def _curl(request: Request) -> str:
    options = "-N " if request.sample.streamed else ""
    if request.method not in ("GET", "POST"):
        options += f"-X {request.method} "
    lines = [f'curl {options}"{request.url}"']
    if request.secret:
        lines.append(f'-H "Authorization: Bearer ${request.secret}"')
    if request.body is not None:
        lines.append('-H "Content-Type: application/json"')
        data = literal(request.body, "json", 2).replace("'", "'\\''")
        lines.append(f"-d '{data}'")
    return " \\\n  ".join(lines)


def _python(request: Request) -> str:
    imports = ["import os"] if request.secret else []
    given = [f'"{request.url}",']
    headers = {}
    if request.secret:
        headers["Authorization"] = f'"Bearer " + os.environ["{request.secret}"]'
    if request.body is not None:
        imports = ["import json", *imports]
        given.append(f"data=json.dumps({literal(request.body, 'python', 4)}).encode(),")
        headers["Content-Type"] = '"application/json"'
    if headers:
        written = "".join(f'        "{name}": {value},\n' for name, value in headers.items())
        given.append(f"headers={{\n{written}    }},")
    if request.method != ("GET" if request.body is None else "POST"):
        given.append(f'method="{request.method}",')
    return (
        "\n".join([*imports, "import urllib.request"])
        + "\n\nrequest = urllib.request.Request(\n    "
        + "\n    ".join(given)
        + "\n)\nwith urllib.request.urlopen(request) as answer:\n"
        + "    print(answer.read().decode())"
    )


def _node(request: Request) -> str:
    given = []
    if request.method != "GET":
        given.append(f'method: "{request.method}",')
    headers = []
    if request.secret:
        headers.append(f"Authorization: `Bearer ${{process.env.{request.secret}}}`")
    if request.body is not None:
        headers.append('"Content-Type": "application/json"')
    if headers:
        given.append("headers: {\n    " + ",\n    ".join(headers) + ",\n  },")
    if request.body is not None:
        given.append(f"body: JSON.stringify({literal(request.body, 'node', 2)}),")
    options = ", {\n  " + "\n  ".join(given) + "\n}" if given else ""
    return (
        f'const answer = await fetch("{request.url}"{options});\n'
        "if (!answer.ok) throw new Error(await answer.text());\n"
        "console.log(await answer.text());"
    )


def _by_python_client(request: Request) -> str:
    sample, client = request.sample, request.sample.client
    assert client is not None
    given = [f'"{client.argument}"'] if client.argument else []
    given += [
        f"{name}={literal(value, 'python', 4)}" for name, value in (sample.body or {}).items()
    ]
    if sample.extra:
        given.append(f"extra_body={literal(sample.extra, 'python', 4)}")
    return (
        "import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(\n"
        f'    api_key=os.environ["{KEY_FROM}"],\n    base_url="{request.base_url}",\n)\n'
        f"answer = client.{client.call}({_listed(given, 4)})\n{client.python}"
    )


def _by_node_client(request: Request) -> str:
    client = request.sample.client
    assert client is not None
    given = f'"{client.argument}"' if client.argument else ""
    if request.body is not None:
        given = literal(request.body, "node", 0)
    return (
        'import OpenAI from "openai";\n\nconst client = new OpenAI({\n'
        f'  apiKey: process.env.{KEY_FROM},\n  baseURL: "{request.base_url}",\n}});\n'
        f"const answer = await client.{client.call}({given});\n{client.node}"
    )


def _listed(given: list[str], indent: int) -> str:
    """Arguments: in one line where they are few and short."""
    line = ", ".join(given)
    if len(line) < WIDTH // 2 and len(given) < 2:
        return line
    blanks = " " * indent
    return "\n" + "".join(f"{blanks}{each},\n" for each in given)


def literal(value: Any, language: str, indent: int) -> str:
    """A value of JSON in the words of a language; `indent` is that of the line it begins in."""
    flat = _flat(value, language)
    if _width(flat) + indent <= WIDTH or not isinstance(value, list | Mapping) or not value:
        return flat
    step = 4 if language == "python" else 2
    last = "" if language == "json" else ","
    deeper = indent + step
    if isinstance(value, list):
        parts = [literal(each, language, deeper) for each in value]
        opening, closing = "[]"
    else:
        parts = [
            f"{_key(name, language)}: {literal(each, language, deeper)}"
            for name, each in value.items()
        ]
        opening, closing = "{}"
    lines = ",\n".join(" " * deeper + each for each in parts)
    return f"{opening}\n{lines}{last}\n{' ' * indent}{closing}"


def _flat(value: Any, language: str) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flat(each, language) for each in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(
            f"{_key(name, language)}: {_flat(each, language)}" for name, each in value.items()
        )
        blank = " " if language == "node" and inner else ""
        return f"{{{blank}{inner}{blank}}}"
    if language == "python" and (value is None or isinstance(value, bool)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def _width(text: str) -> int:
    """In columns: a Chinese character takes two."""
    return len(text) + sum(east_asian_width(each) in "FW" for each in text)


def _key(name: str, language: str) -> str:
    return name if language == "node" and _NAME.fullmatch(name) else json.dumps(name)
