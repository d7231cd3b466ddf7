"""Several servers behind one model, as clients and operators see them (issue 18)."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from tests.conftest import QUICK
from tests.kit.api import STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, away, broke_off, no_engine
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

DEPLOYMENT = """
[deployments.{name}]
engine = "upstream"
urls = [{urls}]
model = "m"
{more}

[models.{name}]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
input_ratio = 1.0
output_ratio = 2.0
deployment = "{name}"
"""


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`pair`: the scripted upstream under two names. Of the others, some are away or drained."""
    closed = [f"http://127.0.0.1:{free_port()}/v1" for _ in range(2)]
    other = upstream.url.replace("127.0.0.1", "localhost")
    drained = f'{{ url = "{upstream.url}", weight = 0 }}'
    first = f'"{upstream.url}", {{ url = "{other}", weight = 0 }}'
    limited = 'keys = [{ key = "sk-one", rpm = 1 }, { key = "sk-two", rpm = 1 }]'
    urls = {
        "pair": f'"{upstream.url}", "{other}"',
        "half": f'"{closed[0]}", "{upstream.url}"',
        "gone": ", ".join(f'"{url}"' for url in closed),
        "drained": f'{drained}, "{closed[0]}"',
        "keyed": f'"{upstream.url}"',
        "moving": first,
    }
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    for name, each in urls.items():
        more = limited if name == "keyed" else 'key = "sk-upstream"'
        models += DEPLOYMENT.format(name=name, urls=each, more=more)
    data = tmp_path_factory.mktemp("replicas")
    with Server(data, models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def books(service: Server) -> Books:
    return Books(service)


LONG = ["一", "二", "三", "四"]
BROKEN = [
    Script(LONG, fault="reset", after=2),
    Script(LONG, fault="truncate", after=2),
    Script(LONG, fault="garbage", after=2),
    Script(LONG, fault="error_event", after=2),
]


@pytest.mark.parametrize("script", BROKEN, ids=[script.fault for script in BROKEN])
def test_a_whole_answer_that_breaks_off_is_made_anew_and_paid_once(
    api: Api, books: Books, upstream: Upstream, script: Script
) -> None:
    script = replace(script, id=Script().id, again=[Script()])
    reply = api.chat(model="pair", messages=script.messages)
    body = answered(reply)
    assert body["choices"][0]["message"]["content"] == Script().text
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (10, 3)
    assert reply.headers["x-served-by"] == "pair/m"
    assert len(upstream.attempts(script)) == 2
    assert books.usage(body["id"])["amount"] == -(10 + 2 * 3) * MICRO


def test_one_that_breaks_off_again_has_failed(api: Api, books: Books, upstream: Upstream) -> None:
    script = Script(LONG, fault="reset", after=2)
    reply = api.chat(model="pair", messages=script.messages)
    no_engine(reply)
    assert len(upstream.attempts(script)) == 2
    books.free(reply.json["id"])


def test_a_stream_that_has_begun_is_not(api: Api, upstream: Upstream) -> None:
    script = Script(LONG, rate=20, fault="reset", after=2, again=[Script()])
    stream = api.stream(model="pair", messages=script.messages)
    broke_off(stream)
    assert len(upstream.attempts(script)) == 1


@pytest.mark.parametrize("fault", ["status", "reset", "truncate", "garbage", "not_sse"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_nobody_has_seen_another_answers(
    api: Api, upstream: Upstream, fault: str, stream: bool
) -> None:
    script = Script(fault=fault, again=[Script()])  # type: ignore[arg-type]
    if stream:
        streamed = api.stream(model="pair", messages=script.messages)
        assert (streamed.content, streamed.done) == (Script().text, True)
    else:
        body = answered(api.chat(model="pair", messages=script.messages))
        assert body["choices"][0]["message"]["content"] == Script().text
    assert len(upstream.attempts(script)) == 2


def test_half_of_them_are_away(service: Server, api: Api, upstream: Upstream) -> None:
    for _ in range(6):
        script = Script()
        answered(api.chat(model="half", messages=script.messages))
        assert len(upstream.attempts(script)) == 1
    with urllib.request.urlopen(f"{service.url}/readyz", timeout=30) as answer:
        told = answer.read().decode()
    assert '"deployment half":true' in told
    assert '"deployment gone":false' in told
    with urllib.request.urlopen(f"{service.metrics_url}", timeout=30) as answer:
        metrics = answer.read().decode()
    half = re.findall(r'xinghe_replica_state\{deployment="half",.*state="(\w+)"\} 1.0', metrics)
    assert sorted(half) == ["away", "up"]
    assert "sk-upstream" not in metrics


@pytest.mark.parametrize("model", ["gone", "drained"])
def test_all_of_them_are_away(api: Api, books: Books, model: str) -> None:
    for at in (api, api.at(STRICT)):
        reply = at.chat(model=model, messages=Script().messages)
        away(reply)
        assert (reply.status == 503) == (at is not api)
        books.free(reply.json["id"])


def test_keys_are_used_in_turn_until_all_are_used_up(api: Api, upstream: Upstream) -> None:
    sent = []
    for _ in range(2):
        script = Script()
        answered(api.chat(model="keyed", messages=script.messages))
        sent.append(upstream.received(script).headers["authorization"])
    assert sorted(sent) == ["Bearer sk-one", "Bearer sk-two"]
    script = Script()
    reply = api.chat(model="keyed", messages=script.messages)
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert not upstream.attempts(script)


def test_a_replica_is_drained_while_its_streams_go_on(
    service: Server, api: Api, upstream: Upstream
) -> None:
    def hosts() -> str:
        script = Script()
        answered(api.chat(model="moving", messages=script.messages))
        return upstream.received(script).headers["host"].split(":")[0]

    other = upstream.url.replace("127.0.0.1", "localhost")
    assert {hosts() for _ in range(4)} == {"127.0.0.1"}
    long = Script(["字"] * 60, rate=20)
    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(api.stream, model="moving", messages=long.messages)
        while not upstream.attempts(long):
            time.sleep(0.02)
        models = service.data / "models.toml"
        before = f'"{upstream.url}", {{ url = "{other}", weight = 0 }}'
        after = f'{{ url = "{upstream.url}", weight = 0 }}, "{other}"'
        text = models.read_text("utf-8")
        assert before in text
        models.write_text(text.replace(before, after), "utf-8")
        end = time.monotonic() + 30
        while hosts() != "localhost":
            assert time.monotonic() < end
        assert {hosts() for _ in range(4)} == {"localhost"}
        stream = streaming.result(60)
    assert (stream.content, stream.done) == (long.text, True)
    assert upstream.received(long).headers["host"].startswith("127.0.0.1")
