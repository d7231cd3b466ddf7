"""`make metrics`: how far a request runs through our code, and how much code there is.

It only reports. A gateway and the tests' scripted upstream run in this process, where the
interpreter can tell which functions of ours a request runs through.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import socket
import sys
import tempfile
import threading
import time
import timeit
import tokenize
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, cast

import grimp
import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send
from tests.kit.catalogs import catalog_of
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.script import Call, Script
from tests.kit.server import free_port
from tests.kit.upstream import Upstream

from xinghe.accounts import Members, Tokens
from xinghe.api.chat.reading import read_request
from xinghe.api.chat.schema import CHAT
from xinghe.api.connection import Connection
from xinghe.api.dialect import Dialect
from xinghe.api.flow import WaitingRoom
from xinghe.app import System, running
from xinghe.catalog import Kind, ModelCard
from xinghe.observe import logs
from xinghe.settings import load as load_settings
from xinghe.storage import Database
from xinghe.supervisor.gateway import QuietServer

SOURCE = Path(__file__).parent.parent / "src" / "xinghe"
BESIDE_ITS_TASK = frozenset(
    str(SOURCE / name) for name in ("api/connection.py", "api/flow.py", "storage/writer.py")
)
"""Their callbacks serve a request too: of its connection, and of the thread that writes."""
IN_REQUEST = ContextVar("IN_REQUEST", default=False)
"""Set in the task of a request, and so in the tasks that it creates."""
NO_FUNCTION = re.compile(r"<(module|listcomp|dictcomp|setcomp|genexpr)>")
IMPORT = re.compile(r"^\s*(from \S+ )?import (\([^)]*\)|.*)$", re.MULTILINE)
RUN = 6
"""Equal lines that make a run."""
PRIVATE = frozenset(
    re.findall(
        r"\w+",
        """
        Asked CallReader Checked Collected Gate Gathering GenerationJob Kept Keeper Lane Means Meter
        Outflow Painter Passes Patience PlainJson Pulse ReadCalls SearchRoom Stage Tally Task
        ThoughtSplitter Turns Unkept Yielding
        collected departure estate eyes gathering keeper keepers meter outflow painter painters
        patience pulse returning rooms sight station stations tally withheld
        """,
    )
)
"""Words that the field has better ones for (CHANGELOG, "words"): no name is made of them."""
NAME = re.compile(r"""[A-Za-z_]\w*|(["'])[a-z_]+\1""")
"""A name, or a string that may be one, such as a log's event."""
WARM = 3.0
"""Seconds for worker processes to start in: their first words are no part of a request."""
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class Trace:
    """The functions of ours that a request ran within `following`, and how deep generators lay.

    What regular tasks and timers of the process do meanwhile is no part of a request.
    """

    def __init__(self) -> None:
        self.functions: set[CodeType] = set()
        self.generators: Counter[int] = Counter()

    @property
    def files(self) -> set[str]:
        return {code.co_filename for code in self.functions}

    @contextmanager
    def following(self) -> Iterator[None]:
        """Of this thread."""
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if not code.co_filename.startswith(str(SOURCE)) or NO_FUNCTION.fullmatch(code.co_name):
            return
        if not IN_REQUEST.get() and code.co_filename not in BESIDE_ITS_TASK:
            return
        self.functions.add(code)
        deep, outer = 0, cast("FrameType | None", frame)
        while outer is not None:
            is_ours = outer.f_code.co_filename.startswith(str(SOURCE))
            deep += bool(is_ours and outer.f_code.co_flags & inspect.CO_ASYNC_GENERATOR)
            outer = outer.f_back
        self.generators[deep] += 1


def _post(url: str, token: str, body: dict[str, Any]) -> bytes:
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: bytes = answer.read()
        return data


async def _serve(system: System, listening: socket.socket, ready: threading.Event) -> None:
    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        IN_REQUEST.set(True)
        await system.app(scope, receive, send)

    connection = partial(Connection, WaitingRoom(64), 30.0, 30.0)
    config = uvicorn.Config(
        marked,
        http=cast("type[asyncio.Protocol]", connection),
        lifespan="off",
        access_log=False,
        log_config=None,
    )
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - it tells of it in no other way
        await asyncio.sleep(0.01)
    ready.set()
    try:
        await asyncio.Event().wait()
    finally:
        server.should_exit = True
        await serving


async def _traced(upstream: str, bodies: list[dict[str, Any]]) -> list[Trace]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models.toml").write_text(
            models_toml(upstream, free_port(), ALL_SCRIPTED), "utf-8"
        )
        settings = load_settings(folder, {})
        logs.configure("error", settings.log.format)
        async with running(settings, catalog_of(settings)) as system:
            database = await Database.open(settings.data_dir)
            await Members(database).ensure_default()
            token = await Tokens(database).create("default")
            await database.close()
            listening, ready = socket.create_server(("127.0.0.1", 0)), threading.Event()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/llm/lmapi/v3/chat/completions"
            serving = asyncio.create_task(_serve(system, listening, ready))
            await asyncio.to_thread(ready.wait)
            await asyncio.sleep(WARM)
            traces = list[Trace]()
            for body in bodies:
                for _ in range(2):  # the second: what the first one loaded is there
                    trace = Trace()
                    with trace.following():
                        await asyncio.to_thread(_post, url, token, body)
                        await asyncio.sleep(0.2)  # it settles
                traces.append(trace)
            serving.cancel()
            await asyncio.wait({serving})
            return traces


def _bodies() -> list[dict[str, Any]]:
    question = [{"role": "user", "content": Script(pieces=["好"] * 20).prompt}]
    calling = Script(pieces=["好"] * 20, calls=[Call("weather", ['{"city":', '"北京"}'])])
    return [
        {"model": "scripted-chat", "messages": question},
        {
            "model": "scripted-able",
            "messages": [{"role": "user", "content": calling.prompt}],
            "stream": True,
            "tools": [TOOL],
            "web_search": {"enable": True, "enable_citation": True, "enable_trace": True},
        },
    ]


def _decoding() -> tuple[float, float]:
    """Microseconds that a chat body of 4 KB takes: bare JSON, and decoded with all checks."""
    turns = [{"role": role, "content": "字" * 250} for role in ("user", "assistant")] * 2
    question = {"role": "user", "content": "字" * 250}
    body = {"model": "m", "messages": [*turns, question], "temperature": 0.5, "stream": True}
    text = json.dumps(body, ensure_ascii=False).encode()
    card = ModelCard(Kind.CHAT, context=9000, max_input=8000, output_max=99, output_default=9)
    bare, form = msgspec.json.Decoder().decode, CHAT[Dialect.DOCUMENTED]

    def checked() -> None:
        reading = read_request(form.read(text), "m", card, Dialect.DOCUMENTED, frozenset(), 32_000)
        with suppress(StopIteration):
            reading.send(None)

    def micros(work: Callable[[], object]) -> float:
        runs = timeit.repeat(work, number=2000, repeat=15, timer=time.process_time)
        return round(min(runs) / 2000 * 1e6, 1)

    return micros(lambda: bare(text)), micros(checked)


def _sources() -> dict[Path, list[str]]:
    return {path: path.read_text("utf-8").splitlines() for path in sorted(SOURCE.rglob("*.py"))}


def _runs(sources: dict[Path, list[str]]) -> int:
    """Runs of `RUN` equal lines or more, imports and blank lines aside."""
    seen: dict[tuple[str, ...], tuple[Path, int]] = {}
    runs = 0
    for path, raw in sources.items():
        lines = [line.strip() for line in IMPORT.sub("", "\n".join(raw)).splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        at = 0
        while at + RUN <= len(lines):
            window = tuple(lines[at : at + RUN])
            if window in seen and seen[window] != (path, at):
                runs += 1
                at += RUN
                continue
            seen.setdefault(window, (path, at))
            at += 1
    return runs


def _private(paths: Iterator[Path]) -> int:
    """Names of private words, in code and in the log's events; asyncio's `Task` is its own."""
    found, before = 0, ("", "")
    for path in paths:
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if NAME.fullmatch(token.string) and before != ("asyncio", "."):
                    name = token.string.strip("\"'")
                    words = {name, *name.lower().split("_")} & PRIVATE
                    if words and token.string != '"eyes"':  # a setting's name of before
                        found += 1
                        print(f"private: {path.relative_to(SOURCE)}:{token.start[0]} {name}")
                before = before[1], token.string
    return found


def _circles() -> int:
    """Files that import one another in a circle: what is left when all others are taken away."""
    graph = grimp.build_graph("xinghe", cache_dir=None)
    left = set(graph.modules)
    while outer := {
        one
        for one in left
        if not graph.find_modules_directly_imported_by(one) & left
        or not graph.find_modules_that_directly_import(one) & left
    }:
        left -= outer
    return len(left)


def main() -> None:
    with Upstream() as upstream:
        plain, stream = asyncio.run(_traced(upstream.url, _bodies()))
    bare, checked = _decoding()
    sources = _sources()
    text = "\n".join(line for lines in sources.values() for line in lines)
    longest = max(sources, key=lambda path: len(sources[path]))
    rows = [
        ("one non-streaming chat: files", len(plain.files), 35),
        ("one non-streaming chat: functions", len(plain.functions), 140),
        ("stream with tools and search: files", len(stream.files), 55),
        ("stream with tools and search: functions", len(stream.functions), 210),
        ("decode and checks of a 4 KB chat body, µs", checked, f"{bare} (bare) + 6"),
        ("nested generators at most", max(stream.generators), 3),
        ("`aclosing` in src", len(re.findall(r"\baclosing\(", text)), 4),
        ("files of src/xinghe", len(sources), "-"),
        ("lines of src/xinghe", sum(map(len, sources.values())), "-"),
        (f"longest file ({longest.relative_to(SOURCE)})", len(sources[longest]), 350),
        ("runs of six equal lines", _runs(sources), 5),
        ("private words", _private(iter(sources)), 0),
        ("files in import circles", _circles(), 0),
    ]
    print("| figure | now | wanted |\n|---|---|---|")
    for title, now, wanted in rows:
        print(f"| {title} | {now} | {wanted} |")
    if "-v" in sys.argv:
        for name, trace in (("non-streaming", plain), ("stream", stream)):
            print(f"\n{name}:")
            counts = Counter(code.co_filename for code in trace.functions)
            for path, count in sorted(counts.items()):
                names = sorted(c.co_qualname for c in trace.functions if c.co_filename == path)
                print(f"  {Path(path).relative_to(SOURCE)} {count}: {', '.join(names)}")


if __name__ == "__main__":
    main()
