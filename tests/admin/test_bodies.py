"""What no operation takes: hostile bodies, queries and paths; and what it says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.admin.desk import Desk, Person
from xinghe.admin.operation import MAX_BODY_BYTES, Operation
from xinghe.admin.table import OPERATIONS

DEEP = b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BODIES: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"name=x",
    "an array": b'[{"name": "x"}]',
    "null": b"null",
    "text": b'"x"',
    "NUL": b'{"name": "a\\u0000b"}',
    "a lone surrogate": b'{"name": "a\\ud800"}',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a huge number": b'{"name": "x", "tokens": 1' + b"0" * 400 + b"}",
    "a huge exponent": b'{"name": "x", "tokens": 1e400}',
    "a number for a name": b'{"name": 5}',
    "true for a number": b'{"name": "x", "group": true}',
    "an object for a name": b'{"name": {"$gt": ""}}',
    "deep": DEEP,
    "a number beyond 64 bits": b'{"name": "x", "group": 99999999999999999999}',
    "an unknown field": b'{"name": "x", "admin": true}',
    "an unknown field that is no name": b'{"name": "x", "\\n\\u0000": true}',
    "a second document": b'{"name": "x"}{"name": "y"}',
    "a bidirectional mark": '{"name": "\u202eabc"}'.encode(),
    "spaces around": b'{"name": " x "}',
    "an appid": b'{"name": "app-0123456789"}',
    "too long": json.dumps({"name": "x" * 65}).encode(),
    "many values": b'{"name": [' + b"1," * 100_000 + b"1]}",
}


@pytest.mark.parametrize("body", BODIES)
def test_no_member_is_made_of(desk: Desk, operator: Person, body: str) -> None:
    count = "SELECT count(*) FROM members"
    before = desk.read(lambda c: c.value(count))
    reply = desk.send("POST", "/members", operator.token, BODIES[body])
    assert reply.status in {400, 413}, reply
    assert reply.code in {"malformed_json", "request_too_large"}
    assert len(reply.json["error"]["message"]) < 500
    assert desk.read(lambda c: c.value(count)) == before


def test_an_unknown_field_is_named(desk: Desk, operator: Person) -> None:
    error = desk.send("POST", "/members", operator.token, {"nmae": "x"}).json["error"]
    assert error["param"] == "nmae"
    assert "did you mean `name`?" in error["message"]


def test_a_body_of_65_megabytes_is_not_read(desk: Desk, operator: Person) -> None:
    huge = b'{"name": "' + b"x" * (65 * 1024 * 1024) + b'"}'
    reply = desk.send("POST", "/members", operator.token, huge, content_length=str(len(huge)))
    assert (reply.status, reply.code) == (413, "request_too_large")
    unannounced = desk.send("POST", "/members", operator.token, b" " * (MAX_BODY_BYTES + 1))
    assert unannounced.code == "request_too_large"


def test_a_body_where_none_is_taken(desk: Desk, operator: Person) -> None:
    who = desk.person("keeps his place")
    reply = desk.send("DELETE", f"/members/{who.id}", operator.token, b'{"really": false}')
    assert reply.status == 400
    assert desk.send("GET", f"/members/{who.id}", operator.token).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "limit=1e400", "after=-1",
        "after=%00", "name=%00", "name=%ff", "name=", "offset=5", "after=" + "9" * 16,
        "&".join(f"a{each}=1" for each in range(60)),
    ],
)  # fmt: skip
def test_a_query_that_is_none(desk: Desk, operator: Person, query: str) -> None:
    reply = desk.send("GET", f"/members?{query}", operator.token)
    assert (reply.status, reply.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "query", ["since=x", "since=9999999999999", "zone=../etc/passwd", "until=2026-13-01"]
)
def test_a_time_that_is_none(desk: Desk, operator: Person, query: str) -> None:
    assert desk.send("GET", f"/audit?{query}", operator.token).code == "malformed_json"


HOSTILE = ["%00", "%ff", "a%00b", "..", "%2e%2e", "'%20OR%201=1--", "9" * 400, "-1", "0", "1e3",
           "٣", "%F0%9F%92%A9", "x" * 5000, "%E2%80%AE", "null", " "]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_a_path_to_nothing(desk: Desk, operator: Person, operation: Operation) -> None:
    for place in HOSTILE if "{" in operation.path else ():
        path = re.sub(r"\{\w+\}", lambda _: place, operation.path)  # noqa: B023
        reply = desk.send(operation.method, path, operator.token, BODY.get(operation.name))
        assert (reply.status, reply.code) in {(404, "no_such_object"), (404, "no_such_path")}


BODY = {
    "packages.change": {}, "orders.place": {"package": 1},
    "orders.confirm": {"reference": "x"}, "orders.refund": {"reason": "x", "reference": "x"},
    "members.change": {}, "paying_wallets.set": {"order": ["own"]}, "tokens.create": {},
    "tokens.change": {}, "groups.change": {}, "memberships.add": {"member": "x"},
    "memberships.change": {"role": "member"}, "memberships.move": {"group": 1},
    "people.limit": {"members": ["x"], "amount": 1}, "invitations.create": {},
    "wallets.grant": {"amount": 1, "reason": "x"}, "budgets.change": {"amount": 1},
    "wallets.redeem": {"code": "x"}, "wallets.transfer": {"to": 1, "amount": 1, "reason": "x"},
}  # fmt: skip


def test_a_method_that_is_none(desk: Desk, operator: Person) -> None:
    reply = desk.send("PATCH", "/members", operator.token)
    assert (reply.status, reply.code) == (405, "method_not_supported")
    assert reply.headers["allow"] == "GET, POST"
    assert desk.send("OPTIONS", "/members", None).status == 405


def test_no_page_of_another_origin_reads_it(desk: Desk, operator: Person) -> None:
    for reply in (
        desk.send("GET", "/members", operator.token, origin="https://evil.example"),
        desk.send("GET", "/nothing", operator.token, origin="https://evil.example"),
    ):
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-request-id"].startswith("as-")


def test_every_refusal_carries_its_id(desk: Desk) -> None:
    reply = desk.send("GET", "/members", None)
    assert reply.json["id"] == reply.headers["x-request-id"]


def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    with Desk(tmp_path, "", rpm=2) as desk:
        people = [desk.person(name, operator=True) for name in ("one", "two")]
        replies = [desk.send("GET", "/groups", people[0].token) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[0].headers["x-ratelimit-remaining-requests"] == "1"
        assert int(replies[2].headers["retry-after"]) >= 1
        # Before its body is read, and whatever it is about.
        assert desk.send("POST", "/members", people[0].token, b"[" * 300_000).status == 429
        assert desk.send("GET", "/groups", people[1].token).status == 200


def test_no_name_of_a_person_is_logged(
    desk: Desk, operator: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.person("Lei Li the pupil")
    desk.send("GET", "/members/Lei%20Li%20the%20pupil", operator.token)
    desk.send("PATCH", "/members/Lei%20Li%20the%20pupil", operator.token, {"disabled": True})
    told = "".join(capsys.readouterr())
    assert "/admin/v1/members/{member}" in told
    assert "Lei Li" not in told
