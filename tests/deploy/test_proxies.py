"""Behind nginx and Caddy, with the files of deploy/, everything arrives as it does without them."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.deploy.proxies import PROXIES, Ports, Proxy, running
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

pytestmark = pytest.mark.slow

RARE = """
[models."ernie-3.5-8k"]
rpm = 1
"""


@dataclass(frozen=True)
class Place:
    """A gateway with one of the proxies before it."""

    kind: str
    proxy: Proxy
    server: Server
    api: Api


@pytest.fixture(scope="module", params=sorted(PROXIES))
def place(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    kind: str = request.param
    if not (shutil.which(kind) or Path("/usr/sbin", kind).exists()):
        pytest.skip(f"apt-get install {kind}")
    secure = free_port()
    told = f'public_url = "https://localhost:{secure}"\ntrusted_proxies = ["127.0.0.1"]\n'
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + RARE
    data = tmp_path_factory.mktemp("gateway")
    (data / "xinghe.toml").write_text(f"[server]\n{told}", "utf-8")
    with Server(data, models=models) as server:
        gateway = int(server.url.rpartition(":")[2])
        ports = Ports(gateway, secure, free_port())
        with running(kind, tmp_path_factory.mktemp(kind), ports) as proxy:
            yield Place(kind, proxy, server, Api(proxy.url, server.token()))


def test_a_stream_arrives_chunk_by_chunk(place: Place, upstream: Upstream) -> None:
    script = Script(pieces=["一", "二", "三", "四"], pauses_at=2)
    with place.api.streaming(model=CHAT, messages=script.messages) as (stream, events):
        assert not upstream.received(script).ended
        for event in events:
            stream.take(event)
            if stream.content == "一二" and not stream.done:
                assert not upstream.received(script).ended  # the rest is not even written yet
                upstream.resume(script)
    assert (stream.content, stream.done) == ("一二三四", True)


def test_silence_is_filled_and_survived(place: Place) -> None:
    script = Script(delay=1.2)
    assert place.api.stream(model=CHAT, messages=script.messages).content == "你好。"


def test_http_2_is_spoken_and_streams(place: Place) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    host, port = "localhost", int(place.proxy.url.rpartition(":")[2])
    with (
        socket.create_connection((host, port), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as found,
    ):
        assert found.selected_alpn_protocol() == "h2"
    body = json.dumps({"model": CHAT, "stream": True, "messages": Script().messages})
    status, events = _curl(place, body)
    assert status == 200
    assert events.endswith("data: [DONE]\n\n")


def test_a_client_that_leaves_is_noticed(place: Place, upstream: Upstream) -> None:
    script = Script(pieces=["字"] * 2000, rate=20)
    with place.api.streaming(model=CHAT, messages=script.messages) as (_, events):
        for event in events:
            if '"字"' in event:
                break
    seen = upstream.received(script)
    assert seen.done.wait(10)
    assert seen.gone_at is not None


def test_a_large_body_passes(place: Place, tmp_path: Path) -> None:
    status, body = _sent(place, tmp_path, 48)
    assert (status, json.loads(body)["object"]) == (200, "chat.completion")


def test_one_that_is_too_large_is_refused_in_json(place: Place, tmp_path: Path) -> None:
    status, body = _sent(place, tmp_path, 66)
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (413, "request_too_large")
    assert "67108864" in error["message"]


def _sent(place: Place, folder: Path, megabytes: int) -> tuple[int, str]:
    """A right request of so much, as curl sends it over HTTP/2: it reads while it writes."""
    fields = {"model": CHAT, "messages": Script().messages}
    padding = {f"padding_{n}": "x" * 1024 * 1024 for n in range(megabytes)}
    file = folder / "body.json"
    file.write_text(json.dumps({**fields, **padding}), "utf-8")
    return _curl(place, f"@{file}")


def _curl(place: Place, data: str) -> tuple[int, str]:
    """The status and the body of a chat that curl asks for, by HTTP/2."""
    headers = [f"Authorization: Bearer {place.api.token}", "Content-Type: application/json"]
    sent = [part for header in headers for part in ("-H", header)]
    shape = ["-sSkN", "--http2", "-w", "\n%{http_version} %{http_code}", "--data-binary", data]
    command = ["curl", *shape, *sent, f"{place.proxy.url}/v1/chat/completions"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    body, _, end = told.rpartition("\n")
    version, status = end.split()
    assert version == "2"
    return int(status), body


def test_refusals_pass_with_their_headers(place: Place) -> None:
    unknown = place.api.bearing("nobody").chat(model=CHAT)
    refused(unknown, 401, "invalid_request_error", "invalid_iam_token")
    messages = Script().messages
    first = answered(place.api.chat(model="ernie-3.5-8k", messages=messages))
    assert first
    second = place.api.chat(model="ernie-3.5-8k", messages=messages)
    refused(second, 429, "rate_limit_exceeded", "rpm_rate_limit_exceeded")
    assert int(second.headers["retry-after"]) > 0
    assert second.headers["x-ratelimit-limit-requests"] == "1"


def test_the_console_stays_with_https(place: Place) -> None:
    browser = Visitor(place.proxy.url)
    sent_away = browser.get("/console/usage", follow=False).reply
    assert sent_away.status == 303
    assert sent_away.headers["location"].startswith("/?next=")
    assert place.api.token is not None
    signed_in = browser.sign_in(place.api.token)
    assert (signed_in.status, signed_in.path) == (200, "/console/")
    assert {"__Host-xinghe-session", "__Host-xinghe-secret"} <= set(browser.cookies)
    again = Visitor(place.proxy.url).get("/").reply.headers["set-cookie"]
    assert all("Secure" in line for line in again.splitlines() if line.startswith("__Host-"))
    with Connection(place.proxy.plain_url) as plain:
        plain.request("GET", "/console/usage?page=2")
        sent_on = plain.reply()
    assert sent_on.status == 308
    assert sent_on.headers["location"].startswith("https://localhost")
    assert sent_on.headers["location"].endswith("/console/usage?page=2")


def test_who_guesses_cannot_say_who_he_is(place: Place) -> None:
    """The address is that which the proxy sees: not what the client says, nor the proxy's own."""
    codes = [_guess(place, "127.0.0.2", f"203.0.113.{n}") for n in range(8)]
    assert codes[0] == 401
    assert codes[-1] == 429
    assert _guess(place, "127.0.0.3", "127.0.0.2") == 401


def _guess(place: Place, local: str, claims: str) -> int:
    body = json.dumps({"name": "default", "password": "a wrong guess"}).encode()
    headers = {"Content-Type": "application/json", "X-Forwarded-For": claims}
    with Connection(place.proxy.url.replace("localhost", "127.0.0.1"), local=local) as client:
        headers["Host"] = place.proxy.url.removeprefix("https://")
        client.request("POST", "/auth/v1/password", body, headers)
        return client.reply().status


def test_the_log_has_the_same_id_and_no_secret(place: Place) -> None:
    token = place.api.token
    assert token is not None
    secret = {"x-api-key": token, "Content-Type": "application/json"}
    body = {"model": CHAT, "max_tokens": 9, "messages": Script(pieces=["秘密"]).messages}
    sent = json.dumps(body).encode()
    reply = replace(place.api, mount="").send("POST", "/v1/messages?x=in-query", sent, secret)
    assert reply.status == 200, reply.text
    found = reply.headers["x-request-id"]
    end = time.monotonic() + 10
    while found not in (told := place.proxy.log.read_text("utf-8")):
        assert time.monotonic() < end, told[-2000:]
        time.sleep(0.1)
    assert token not in told
    assert "in-query" not in told
    assert "秘密" not in told
    for line in told.splitlines():
        json.loads(line)


def test_a_gateway_that_is_away_is_told_in_json(place: Place, tmp_path: Path) -> None:
    ports = Ports(free_port(), free_port(), free_port())
    with running(place.kind, tmp_path, ports) as proxy:
        reply = Api(proxy.url, place.api.token).chat(model=CHAT)
    assert reply.status == 503
    assert reply.json["error"]["code"] == "service_unavailable"
    assert int(reply.headers["retry-after"]) > 0
