"""The service while the model draws: who leaves, who waits, and a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable

import psutil

from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, refused
from tests.kit.pace import allowed
from tests.kit.raw import Connection, Reply
from tests.kit.server import Server

PATH = "/images/generations"
SHORT = {"model": "Stable-Diffusion-XL", "prompt": "cat", "size": "768x768", "steps": 10}
LONG = {**SHORT, "size": "2048x2048", "steps": 50, "n": 4, "sampler_index": "Heun"}
LONG_TOKENS = 800_000


def start(api: Api, body: dict[str, object]) -> Connection:
    connection = Connection(api.url)
    connection.request("POST", api.mount + PATH, json.dumps(body).encode(), api.headers)
    return connection


def steps_told(server: Server) -> float:
    """What the metrics say of steps that were made."""
    with Connection(server.metrics_url) as connection:
        connection.request("GET", "/metrics")
        lines = connection.reply().text.splitlines()
    found = [line for line in lines if line.startswith("xinghe_image_steps_total{")]
    return float(found[0].split()[-1])


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def worker() -> psutil.Process:
    """The process of the model under the service; the engine of other tests has one, too."""
    me = psutil.Process()
    family = [each for child in me.children() for each in child.children(recursive=True)]
    (found,) = [each for each in family if "xinghe.images.diffusion.worker" in each.cmdline()]
    return found


def test_it_says_what_serves(drawn: Api) -> None:
    reply = drawn.post(PATH, SHORT)
    answered(reply)
    assert reply.headers["x-served-by"] == "sdxl/tiny"
    about = drawn.get("/models/Stable-Diffusion-XL").json["xinghe"]
    assert about["served_by"] == "sdxl/tiny"
    assert about["capabilities"]["platform"] == {}


def test_who_leaves_frees_the_device_and_pays_for_the_steps_that_were_made(
    drawn: Api, service: Server
) -> None:
    books = Books(service)
    answered(drawn.post(PATH, SHORT))
    books.settled()
    before, told = books.shown()["balance"], steps_told(service)
    with start(drawn, LONG):
        until(lambda: steps_told(service) >= told + 3)
    left = time.monotonic()
    answered(drawn.post(PATH, SHORT))
    # A step of the long one takes half a second alone; all of it would take minutes.
    assert time.monotonic() - left < allowed(15)
    books.settled()
    made = steps_told(service) - told - 10
    paid = (before - books.shown()["balance"]) / MICRO - 5625
    assert 3 <= made < 100
    assert paid == made * LONG_TOKENS / 200


def test_who_waits_in_vain_is_told_when_to_come_again(drawn: Api, service: Server) -> None:
    books = Books(service)
    told = steps_told(service)
    with start(drawn, LONG):
        until(lambda: steps_told(service) > told)
        with start(drawn, {**SHORT, "user": "waits"}):
            time.sleep(0.5)
            reply = drawn.post(PATH, SHORT)
            kind = "rate_limit_exceeded"
            refused(reply, 429, kind, "cluster_rate_limit_exceeded", "try again in")
            assert int(reply.headers["retry-after"]) >= 1
            books_of = reply.json["id"]
    answered(drawn.post(PATH, SHORT))
    books.settled()
    books.free(books_of)


def test_a_killed_worker_is_started_again_for_the_next_try(drawn: Api, service: Server) -> None:
    told = steps_told(service)
    replies: list[Reply] = []
    body = {**SHORT, "size": "1024x1024", "steps": 30, "retry_count": 1, "request_timeout": 300}
    asking = threading.Thread(target=lambda: replies.append(drawn.post(PATH, body)))
    asking.start()
    until(lambda: steps_told(service) > told)
    os.kill(worker().pid, signal.SIGKILL)
    asking.join(400)
    entry = Books(service).usage(answered(replies[0])["id"])
    assert entry["amount"] == -30_000 * MICRO


def test_without_retries_a_killed_worker_is_our_fault_and_free(drawn: Api, service: Server) -> None:
    told = steps_told(service)
    replies: list[Reply] = []
    body = {**SHORT, "size": "2048x2048", "steps": 50, "retry_count": 0, "request_timeout": 300}
    asking = threading.Thread(target=lambda: replies.append(drawn.post(PATH, body)))
    asking.start()
    until(lambda: steps_told(service) > told)
    os.kill(worker().pid, signal.SIGKILL)
    asking.join(400)
    refused(replies[0], 500, "Internal_error", "dispatch_internal_error", "Internal error")
    Books(service).free(replies[0].json["id"])
    answered(drawn.post(PATH, SHORT))


def test_a_request_that_has_waited_enough_ends_and_is_free(drawn: Api, service: Server) -> None:
    reply = drawn.post(PATH, {**LONG, "request_timeout": 1, "retry_count": 1})
    kind = "invalid_request_error"
    refused(reply, 408, kind, "request_timeout", "request_timeout = 1", param="request_timeout")
    Books(service).free(reply.json["id"])
    answered(drawn.post(PATH, SHORT))


def test_what_is_asked_is_in_no_log(drawn: Api, service: Server) -> None:
    secret = "a very private prompt " * 40
    answered(drawn.post(PATH, {**SHORT, "prompt": secret, "negative_prompt": secret}))
    assert "very private" not in service.log.read_text("utf-8")
