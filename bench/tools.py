"""Function call, scored: Xinghe beside the tool mode of the bare engine, on the same weights.

The cases stand in `tools.json`: `scored` are those that prompt and grammar were chosen on,
`held_out` those that nobody looked at while choosing. A case is right if exactly the expected
calls are made, in any order, with exactly the expected arguments (`name?`: may be left out,
`"*"`: any value, a list: any of these).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from tests.kit.server import Server

from bench.bare import bare_engine
from xinghe.doctor.processor import capacity

CASES = Path(__file__).with_name("tools.json")
MODEL = "deepseek-v3"
WEIGHTS = "default"
SETS = ("scored", "held_out")
KINDS = ("call", "none", "which", "arguments", "two")
TOKENS = 256

Call: TypeAlias = tuple[str, Any]
Case: TypeAlias = dict[str, Any]


def conversation(ask: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a case: one question, or rounds with a call and its result."""
    if isinstance(ask, str):
        return [{"role": "user", "content": ask}]
    return [_message(entry) for entry in ask]


def _message(entry: dict[str, Any]) -> dict[str, Any]:
    if "call" in entry:
        name, arguments = entry["call"]
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"id": "call_1", "type": "function", "function": function}
        return {"role": "assistant", "content": "", "tool_calls": [call]}
    if "result" in entry:
        return {"role": "tool", "tool_call_id": "call_1", "content": entry["result"]}
    return entry


def right(case: Case, calls: list[Call]) -> bool:
    """Whether `calls` are what the case expects."""
    open_ = list(case["calls"])
    for call in calls:
        fitting = next((wanted for wanted in open_ if _fits(wanted, call)), None)
        if fitting is None:
            return False
        open_.remove(fitting)
    return not open_


def _fits(wanted: list[Any], call: Call) -> bool:
    name, arguments = call
    if name != wanted[0] or not isinstance(arguments, dict):
        return False
    values = {key.rstrip("?"): value for key, value in wanted[1].items()}
    needed = {key for key in wanted[1] if not key.endswith("?")}
    return needed <= set(arguments) <= set(values) and all(
        _equal(values[key], value) for key, value in arguments.items()
    )


def _equal(wanted: Any, value: Any) -> bool:
    if wanted == "*":
        return True
    allowed = wanted if isinstance(wanted, list) else [wanted]
    return any(_plain(one) == _plain(value) for one in allowed)


def _plain(value: Any) -> Any:
    """Case and closing punctuation do not count; true is not 1."""
    if isinstance(value, str):
        return value.strip(" .。!?").casefold()
    return (isinstance(value, bool), value)


async def _ask(
    session: aiohttp.ClientSession, url: str, key: str, case: Case, functions: list[Any]
) -> list[Call]:
    body = {
        "model": MODEL,
        "messages": conversation(case["ask"]),
        "tools": [{"type": "function", "function": function} for function in functions],
        "max_tokens": TOKENS,
    }
    headers = {"Authorization": f"Bearer {key}"}
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(await answer.text())
        message = (await answer.json())["choices"][0]["message"]
    return [
        (call["function"]["name"], _parsed(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None


async def _score(url: str, key: str, cases: dict[str, Any]) -> dict[str, Counter[str]]:
    """How many of each set and kind are right."""
    scores = {name: Counter[str]() for name in SETS}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        for name in SETS:
            for case in cases[name]:
                calls = await _ask(session, url, key, case, cases["toolsets"][case["tools"]])
                scores[name][case["kind"]] += right(case, calls)
    return scores


async def run(folder: Path) -> None:
    """One engine after the other, so that they do not share the cores."""
    cases = json.loads(CASES.read_text("utf-8"))
    threads = capacity().threads
    pinned = {"XINGHE_EMBEDDED__THREADS": str(threads)}
    with Server(folder / "data", "--model", WEIGHTS, settings=pinned) as server:
        ours = await _score(server.url, server.token(), cases)
    async with bare_engine(folder, WEIGHTS, threads) as (url, key):
        bare = await _score(url, key, cases)
    print(f"\n## Function call ({WEIGHTS} weights): right answers\n")
    print("| | Xinghe | the bare engine's tool mode |\n|---|---|---|")
    for name in SETS:
        kinds = Counter(case["kind"] for case in cases[name])
        for kind in KINDS:
            total = kinds[kind]
            print(f"| {name}, {kind} | {ours[name][kind]}/{total} | {bare[name][kind]}/{total} |")
        total = kinds.total()
        print(f"| **{name}** | {ours[name].total()}/{total} | {bare[name].total()}/{total} |")
