"""Programs that ask a model, ready to be pasted and run: in Python, Node and curl."""

from __future__ import annotations

import json

from xinghe.console.layout.snippet import Snippet


def snippets(base_url: str, token: str, model: str, question: str) -> list[Snippet]:
    """What is put in are values of the languages' own: no text can end one early."""
    url, key, model_, asked = (_quoted(each) for each in (base_url, token, model, question))
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    python = f"""\
from openai import OpenAI

client = OpenAI(base_url={url}, api_key={key})
stream = client.chat.completions.create(
    model={model_},
    messages=[{{"role": "user", "content": {asked}}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
    node = f"""\
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: {url}, apiKey: {key} }});
const stream = await client.chat.completions.create({{
  model: {model_},
  messages: [{{ role: "user", content: {asked} }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}
"""
    curl = f"""\
curl {_shell(f"{base_url}/chat/completions")} \\
  -H {_shell(f"Authorization: Bearer {token}")} \\
  -H 'Content-Type: application/json' \\
  -d {_shell(json.dumps(body, ensure_ascii=False))}
"""
    return [
        Snippet("python", "Python", "pip install openai", python),
        Snippet("node", "Node.js", "npm install openai", node),
        Snippet("curl", "curl", "", curl),
    ]


def _quoted(value: str) -> str:
    """A literal of Python and of JavaScript alike."""
    # What JSON leaves as it is, but ends a line in many an editor and in older JavaScript.
    ends = {chr(code): f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029)}
    text = json.dumps(value, ensure_ascii=False)
    return "".join(ends.get(each, each) for each in text)


def _shell(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
