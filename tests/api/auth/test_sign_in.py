"""Signing in and out over HTTP: what is answered, what is refused, and what nobody learns."""

from __future__ import annotations

import json
import re

import pytest

from tests.api.auth.conftest import PASSWORD
from tests.api.auth.visitor import Visitor
from tests.kit.api import Api
from tests.kit.expect import refused
from tests.kit.models import CHAT
from tests.kit.server import Server

NOT_LET_IN = (401, "invalid_request_error", "invalid_iam_token", "IAM Certification failed")
MALFORMED = (400, "invalid_request_error", "malformed_json", "")


def test_the_ways_in_are_told(visitor: Visitor) -> None:
    assert visitor.get("").json == {
        "object": "sign_in",
        "password": True,
        "token": True,
        "oidc": True,
        "open": False,
    }


def test_a_member_signs_in_changes_the_password_and_leaves(
    visitor: Visitor, service: Server, member: str
) -> None:
    made = visitor.come_in("/password", name=member, password=PASSWORD)
    assert made["object"] == "session"
    assert made["member"]["name"] == member
    assert made["member"]["operator"] is False
    assert made["scopes"] == ["account.read", "admin"]
    shown = visitor.get("/session").json
    assert shown["member"] == made["member"]
    assert shown["method"] == "password"
    assert "token" not in shown
    elsewhere = Visitor(service.url)
    elsewhere.come_in("/password", name=member, password=PASSWORD)
    changed = visitor.come_in("/me/password", current=PASSWORD, new="another battery horse")
    assert changed["token"] != made["token"]
    refused(elsewhere.get("/session"), *NOT_LET_IN)
    refused(elsewhere.post("/password", name=member, password=PASSWORD), *NOT_LET_IN)
    assert visitor.get("/session").status == 200
    assert visitor.send("DELETE", "/session").json == {"object": "done"}
    refused(visitor.get("/session"), *NOT_LET_IN)
    refused(visitor.send("DELETE", "/session"), *NOT_LET_IN)


def test_a_session_calls_no_model(visitor: Visitor, service: Server, member: str) -> None:
    visitor.come_in("/password", name=member, password=PASSWORD)
    api = Api(service.url, visitor.session)
    refused(api.chat(model=CHAT), 401, "access_denied", "no_parameter_permission", "model.call")
    embedding = api.post("/embeddings", {"model": "embedding-v1", "input": ["x"]})
    refused(embedding, 401, "access_denied", "no_parameter_permission", "model.call")
    assert api.get("/models").status == 200, "it may look at what there is to be called"


def test_a_session_reads_its_members_account(
    visitor: Visitor, service: Server, member: str
) -> None:
    visitor.come_in("/password", name=member, password=PASSWORD)
    reply = Api(service.url, visitor.session).get("/account")
    assert reply.status == 200, reply.text
    assert member in reply.text
    visitor.send("DELETE", "/session")
    refused(Api(service.url, visitor.session).get("/account"), *NOT_LET_IN)


def test_an_operator_gives_a_new_password_by_his_session(
    visitor: Visitor, service: Server, member: str
) -> None:
    service.run("member", "operator", member, "yes")
    visitor.come_in("/password", name=member, password=PASSWORD)
    service.run("member", "create", "forgetful")
    path, new = "/members/forgetful", "a battery that is new"
    for wrong in ({"password": "short"}, {"password": 918273645}, {"new": new}):
        reply = visitor.send("PATCH", path, wrong, mount="/admin/v1")
        assert reply.status == 400, reply.text
        assert "918273645" not in reply.text
    reply = visitor.send("PATCH", path, {"password": new}, mount="/admin/v1")
    assert reply.status == 200, reply.text
    other = Visitor(service.url)
    other.come_in("/password", name="forgetful", password=new)
    refused(
        other.send("PATCH", path, {"password": PASSWORD}, mount="/admin/v1"),
        403, "access_denied", "not_permitted",
    )  # fmt: skip
    visitor.send("PATCH", path, {"password": PASSWORD}, mount="/admin/v1")
    refused(other.get("/session"), *NOT_LET_IN)
    assert new not in service.log.read_text("utf-8")


def test_an_access_token_becomes_a_session_of_its_rights(visitor: Visitor, service: Server) -> None:
    made = visitor.come_in("/token", token=service.token("--scope", "account.read"))
    assert made["scopes"] == ["account.read"]
    assert made["member"] == {**made["member"], "name": "default", "operator": True}
    refused(
        visitor.post("/me/password", new="a new battery horse"),
        401, "access_denied", "no_parameter_permission", "sign in again",
    )  # fmt: skip
    refused(visitor.post("/token", token=service.token("--scope", "model.call")), *NOT_LET_IN)
    refused(visitor.post("/token", token=visitor.session), *NOT_LET_IN)
    visitor.session = service.token()
    refused(visitor.get("/session"), *NOT_LET_IN)


def test_nobody_learns_which_names_there_are(visitor: Visitor, member: str) -> None:
    replies = [
        visitor.post("/password", name=name, password="wrong battery horse")
        for name in (member, "nobody", "default")
    ]
    texts = {re.sub("as-[a-z0-9]{10}", "", reply.text) for reply in replies}
    assert len(texts) == 1
    assert {reply.status for reply in replies} == {401}


def test_failures_are_slowed_and_the_right_one_comes_in_elsewhere(
    visitor: Visitor, service: Server, member: str
) -> None:
    for _ in range(5):
        refused(visitor.post("/password", name=member, password="wrong"), *NOT_LET_IN)
    reply = visitor.post("/password", name=member, password=PASSWORD)
    refused(reply, 429, "rate_limit_exceeded", "user_rate_limit_exceeded", "try again in 1 s")
    assert reply.headers["retry-after"] == "1"
    Visitor(service.url).come_in("/password", name=member, password=PASSWORD)
    liar = {"X-Forwarded-For": f"9.9.9.9, {visitor.address}, 127.0.0.1"}
    body = {"name": member, "password": PASSWORD}
    assert visitor.send("POST", "/password", body, liar).status == 429


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"{", ""),
        (b"[]", "object"),
        (b"null", "object"),
        ({}, "name is missing"),
        ({"name": "alice"}, "password is missing"),
        ({"name": "alice", "password": ""}, "password is not as it may be"),
        ({"name": "", "password": PASSWORD}, "name"),
        ({"name": "x" * 65, "password": PASSWORD}, "name"),
        ({"name": ["alice"], "password": PASSWORD}, "name"),
        ({"name": "alice", "password": 12345678}, "password is not as it may be"),
        ({"name": "alice", "password": PASSWORD, "admin": True}, "no field of this operation"),
    ],
)
def test_bodies_are_strict(visitor: Visitor, body: object, says: str) -> None:
    refused(visitor.send("POST", "/password", body), *MALFORMED[:3], says)


@pytest.mark.parametrize(
    "fields",
    [
        {"password": 5551234987}, {"password": ["a secret value"]},
        {"password": "s3cret-" * 500}, {"name": "alice", "password": {"a": "s3cret"}},
    ],
)  # fmt: skip
def test_no_refusal_repeats_a_password(visitor: Visitor, fields: dict[str, object]) -> None:
    reply = visitor.post("/password", **{"name": "alice", **fields})
    assert reply.status == 400
    assert not any(part in reply.text for part in ("555123", "secret", "s3cret"))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"]
)
def test_a_form_of_another_page_is_no_sign_in(visitor: Visitor, kind: str) -> None:
    body = json.dumps({"name": "alice", "password": PASSWORD}).encode()
    reply = visitor.send("POST", "/password", body, {"Content-Type": kind})
    refused(reply, *MALFORMED[:3], "Content-Type")


def test_no_page_of_another_origin_reads_anything(visitor: Visitor) -> None:
    for reply in (
        visitor.get(""),
        visitor.post("/password", name="alice", password="wrong"),
        visitor.send("OPTIONS", "/password", headers={"Origin": "https://evil.example"}),
    ):
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused_at_once(visitor: Visitor) -> None:
    refused(
        visitor.send("POST", "/password", b" " * 20_000),
        413, "invalid_request_error", "request_too_large", "16384",
    )  # fmt: skip


def test_paths_and_methods(visitor: Visitor) -> None:
    refused(
        visitor.get("/passwords"), 404, "invalid_request_error", "no_such_path", "/auth/v1/join"
    )
    reply = visitor.get("/password")
    refused(reply, 405, "invalid_request_error", "method_not_supported", "Only POST")
    assert reply.headers["allow"] == "POST"
    assert visitor.send("PUT", "/session").headers["allow"] == "GET, DELETE"


def test_nobody_joins_uninvited(visitor: Visitor) -> None:
    reply = visitor.post("/join", name="erin", password=PASSWORD)
    refused(reply, 404, "invalid_request_error", "no_such_path", "without an invitation")


def test_nothing_secret_is_in_the_log(visitor: Visitor, service: Server, member: str) -> None:
    made = visitor.come_in("/password", name=member, password=PASSWORD)
    visitor.come_in("/password", name=member, password=PASSWORD)
    visitor.post("/password", name="a-password-in-the-wrong-field", password="w")
    token = service.token()
    visitor.post("/token", token=token)
    log = service.log.read_text("utf-8")
    for secret in (
        PASSWORD,
        made["token"],
        visitor.session,
        token,
        "a-password-in-the-wrong-field",
    ):
        assert secret not in log
    assert visitor.address in log, "whoever guards the door sees where failures come from"
