"""Routers that exist, in front of two servers, as one deployment of ours: smg and vllm-router."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import OpenAI

from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books
from tests.kit.expect import answered, away
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.raw import Reply
from tests.kit.script import Call, Script
from tests.kit.separate import Separate
from tests.kit.server import Server, free_port
from tests.kit.upstream import MODEL, Upstream

pytestmark = pytest.mark.slow

BIN = Path(__file__).parents[2] / ".venv-clients" / "routers" / "bin"
ROUTERS = {
    "smg": ["smg", "launch"],
    "vllm-router": ["vllm-router"],
}
OPTIONS = [
    "--host", "127.0.0.1", "--policy", "cache_aware", "--health-check-interval-secs", "1",
    "--health-failure-threshold", "1", "--health-success-threshold", "1",
    "--worker-startup-check-interval", "1",
]  # fmt: skip
AT_ONCE = 8
MODELS = """
[deployments.routed]
engine = "upstream"
url = "http://127.0.0.1:{port}/v1"
model = "{model}"

[deployments.direct]
engine = "upstream"
url = "{direct}"
model = "{model}"

[models.routed]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
capabilities = ["tools", "json_object"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "routed"

[models.mended]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "routed"
fallback = ["direct"]
"""


@dataclass
class Routed:
    """Our service, behind it the router, behind that two servers, each a process of its own."""

    api: Api
    books: Books
    workers: tuple[Separate, Separate]


@pytest.fixture(scope="module", params=ROUTERS)
def routed(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Routed]:
    program, *arguments = ROUTERS[request.param]
    assert (BIN / program).exists(), f"{BIN / program} is missing: `make routers` installs it"
    data = tmp_path_factory.mktemp(request.param)
    port, metrics = str(free_port()), str(free_port())
    with Separate() as one, Separate() as other, (data / "router.log").open("wb") as log:
        command = [str(BIN / program), *arguments, *OPTIONS, "--port", port]
        command += ["--prometheus-port", metrics, "--log-dir", str(data / "logs")]
        command += ["--worker-urls", *(each.url.removesuffix("/v1") for each in (one, other))]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, data / "router.log")
            models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
            models += MODELS.format(port=port, model=MODEL, direct=other.url)
            with Server(data / "ours", models=models) as server:
                yield Routed(Api(server.url, server.token()), Books(server), (one, other))
                Books(server).settled()
        finally:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-4000:]
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace")[-4000:])


def wait_for_both(routed: Routed) -> None:
    """The router has found both of its servers again: then nothing fails any more."""
    end = time.monotonic() + 90
    good = 0
    while good < AT_ONCE:
        assert time.monotonic() < end, "the router does not find its servers again"
        reply = routed.api.chat(model="routed", messages=Script().messages)
        good = good + 1 if reply.status == 200 else 0
        time.sleep(0.2)


def test_an_answer_whole_and_as_a_stream(routed: Routed) -> None:
    reply = routed.api.chat(model="routed", messages=Script(["好", "的"]).messages)
    assert answered(reply)["choices"][0]["message"]["content"] == "好的"
    assert reply.headers["x-served-by"] == f"routed/{MODEL}"
    script = Script(["一", "二", "三"], rate=10)
    stream = routed.api.stream(model="routed", messages=script.messages)
    assert (stream.content, stream.done) == ("一二三", True)
    entry = routed.books.usage(stream.headers["x-request-id"])
    assert (entry["prompt_tokens"], entry["completion_tokens"]) == (10, 3)


def test_a_call_through_the_official_client(routed: Routed) -> None:
    parameters: dict[str, object] = {"type": "object", "properties": {"q": {"type": "string"}}}
    script = Script([], calls=[Call("look_up", ['{"q"', ': "天气"}'])])
    api = routed.api
    with OpenAI(base_url=api.url + DOCUMENTED, api_key=api.token, max_retries=0) as client:
        made = client.chat.completions.create(
            model="routed",
            messages=[{"role": "user", "content": script.prompt}],
            tools=[{"type": "function", "function": {"name": "look_up", "parameters": parameters}}],
        )
    (call,) = made.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.arguments == '{"q": "天气"}'


def test_who_leaves_is_told_to_the_server(routed: Routed) -> None:
    long = Script(["字"] * 500, rate=50)
    with routed.api.streaming(model="routed", messages=long.messages) as (stream, live):
        for event in live:
            stream.take(event)
            if len(stream.content) == 3:
                break
    entry = routed.books.usage(stream.headers["x-request-id"])
    assert 3 <= entry["completion_tokens"] < 100


@pytest.mark.parametrize("model", ["routed", "mended"])
def test_one_server_killed_costs_at_most_what_it_was_answering(routed: Routed, model: str) -> None:
    """The router cannot take back what it has begun to pass on: a fallback makes it anew."""
    one, _ = routed.workers

    def ask(_: int) -> Reply:
        return routed.api.chat(model=model, messages=Script(["好"] * 5, rate=20).messages)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = [pool.submit(ask, number) for number in range(5 * AT_ONCE)]
        time.sleep(0.5)
        one.kill()
        told = [future.result() for future in replies]
    failed = [reply.text for reply in told if reply.status != 200]
    assert len(failed) <= (AT_ONCE if model == "routed" else 0), failed
    for reply in told:
        if reply.status == 200:
            assert routed.books.usage(reply.json["id"])["completion_tokens"] == 5
    assert answered(ask(0))
    one.start()
    wait_for_both(routed)


def test_both_are_away_and_come_back(routed: Routed) -> None:
    for worker in routed.workers:
        worker.kill()
    reply = routed.api.chat(model="routed", messages=Script().messages)
    assert reply.status in {429, 500}
    assert int(reply.headers["retry-after"]) >= 1
    if reply.status == 500:
        away(reply)
    for worker in routed.workers:
        worker.start()
    wait_for_both(routed)
