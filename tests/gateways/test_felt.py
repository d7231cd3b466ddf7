"""What is changed through one gateway is felt at the other within a second."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.test_idempotency import upstream_saw
from tests.gateways.conftest import Pair
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.upstream import Upstream

WITHIN = 1.0


class Operated:
    """An operator at one gateway, and a member at the other."""

    def __init__(self, pair: Pair) -> None:
        operator, member = (f"{who}-{secrets.token_hex(4)}" for who in ("operator", "member"))
        service = pair.servers[0]
        service.run("member", "create", operator)
        service.run("member", "operator", operator, "yes")
        service.run("member", "create", member)
        scopes = ["--scope", "admin", "--scope", "account.read"]
        token = service.token(*scopes, account=operator)
        self._admin = pair.one.at("/admin/v1").bearing(token)
        self.secret = service.token(account=member)
        self.token = self.secret.split("-")[1]
        self.member = member
        self.there = pair.other.bearing(self.secret)

    def does(self, method: str, path: str, body: object = None) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        reply = self._admin.send(method, path, data)
        assert reply.status < 300, reply.body
        return reply


@pytest.fixture
def operated(pair: Pair) -> Operated:
    return Operated(pair)


def felt(check: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN
    while not check():
        assert time.monotonic() < end, f"not felt within {WITHIN} s"
        time.sleep(0.02)


def test_a_revoked_token(operated: Operated) -> None:
    answered(operated.there.chat(model=CHAT, messages=Script().messages))
    operated.does("DELETE", f"/tokens/{operated.token}")
    reply = operated.there.chat(model=CHAT, messages=Script().messages)
    refused(reply, 401, "invalid_request_error", "invalid_iam_token")


def test_a_running_stream_of_a_revoked_token_ends(operated: Operated, upstream: Upstream) -> None:
    script = Script(pieces=["字"] * 300, rate=10)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(operated.there.stream, model=CHAT, messages=script.messages)
        upstream_saw(upstream, script)
        operated.does("DELETE", f"/tokens/{operated.token}")
        felt(running.done)
    assert running.result().errors[0]["error"]["code"] == "invalid_iam_token"


def test_a_disabled_member(operated: Operated) -> None:
    def ask() -> Reply:
        return operated.there.chat(model=CHAT, messages=Script().messages)

    answered(ask())
    found = operated.does("GET", f"/members?name={operated.member}").json["data"]
    (member,) = [each["id"] for each in found if each["name"] == operated.member]
    operated.does("PATCH", f"/members/{member}", {"disabled": True})
    assert ask().status == 401
    operated.does("PATCH", f"/members/{member}", {"disabled": False})
    answered(ask())


def test_a_budget(operated: Operated) -> None:
    answered(operated.there.chat(model=CHAT, messages=Script().messages))
    body = {"token": operated.token, "unit": "rpm", "amount": 1}
    operated.does("POST", "/budgets", body)
    operated.there.chat(model=CHAT, messages=Script().messages)
    assert operated.there.chat(model=CHAT, messages=Script().messages).status == 429


def test_a_changed_model(operated: Operated) -> None:
    name = f"made-{secrets.token_hex(4)}"
    there = operated.there

    def is_served() -> bool:
        return there.chat(model=name, messages=Script().messages).status == 200

    assert not is_served()
    sizes = {"context": 32768, "max_input": 16384, "output_max": 2048, "output_default": 1024}
    card = {"kind": "chat", "deployment": "scripted", **sizes}
    operated.does("PATCH", "/config", {"patch": {"models": {name: card}}})
    felt(is_served)
    operated.does("PATCH", "/config", {"patch": {"models": {name: None}}})
    felt(lambda: not is_served())


def test_a_sign_in_session(operated: Operated, pair: Pair) -> None:
    """Made at one, it holds at the other, and is over there when it is ended here."""

    one, other = (each.at("/auth/v1") for each in (pair.one, pair.other))
    body = json.dumps({"token": operated.secret}).encode()
    made = one.send("POST", "/token", body, {"Content-Type": "application/json"})
    secret = made.json["token"]
    assert other.bearing(secret).get("/session").status == 200
    assert one.bearing(secret).send("DELETE", "/session").status == 200
    assert other.bearing(secret).get("/session").status == 401
