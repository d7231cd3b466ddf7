"""`/admin/v1/config`: shown, changed, applied again, by operators alone, without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.admin.desk import Desk, Person, Reply, audited
from tests.admin.test_repeats import at_once

V3 = "deepseek-v3"
BIG = {"engine": "upstream", "url": "http://h/v1", "model": "m", "key": "sk-secret", "slots": 3}


@pytest.fixture(autouse=True)
def _from_the_beginning(desk: Desk, operator: Person) -> Iterator[None]:
    yield
    assert put(desk, operator, {"safety": {"lists": {}}}).status == 200


def put(desk: Desk, who: Person, tree: Any, **headers: Any) -> Reply:
    return desk.send("PUT", "/config", who.token, {"tree": tree}, **headers)


def patch(desk: Desk, who: Person, changes: Any, **headers: Any) -> Reply:
    return desk.send("PATCH", "/config", who.token, {"patch": changes}, **headers)


def shown(desk: Desk, who: Person) -> Reply:
    reply = desk.send("GET", "/config", who.token)
    assert reply.status == 200, reply
    return reply


def test_a_change_is_a_version(desk: Desk, operator: Person) -> None:
    before = shown(desk, operator).json["version"]
    reply = patch(desk, operator, {"models": {V3: {"rpm": 5}}})
    assert reply.status == 200, reply
    assert reply.json["version"] == before + 1
    assert reply.json["author"] == operator.id
    assert reply.json["trouble"] is None
    assert reply.json["changes"] == [{"field": f"models.{V3}", "after": {"rpm": 5}}]
    now = shown(desk, operator)
    assert now.json["tree"]["models"] == {V3: {"rpm": 5}}
    assert now.headers["etag"] == reply.headers["etag"] == f'"{before + 1}"'
    # Served by before it was answered.
    assert desk.served.number == before + 1
    again = patch(desk, operator, {"models": {V3: {"rpm": 5}}})
    assert (again.json["version"], again.json["changed"]) == (before + 1, 0)


def test_versions_are_listed_and_applied_again(desk: Desk, operator: Person) -> None:
    first = patch(desk, operator, {"models": {V3: {"rpm": 5}}}).json["version"]
    patch(desk, operator, {"models": {V3: None}, "limits": {"qps": 9.5}})
    listed = desk.send("GET", "/config/versions?limit=1", operator.token).json
    assert (listed["data"][0]["version"], listed["has_more"]) == (first + 1, True)
    rest = desk.send("GET", f"/config/versions?after={listed['next']}", operator.token).json
    assert rest["data"][0]["version"] == first
    assert "tree" not in rest["data"][0]
    one = desk.send("GET", f"/config/versions/{first}", operator.token).json
    assert one["tree"]["models"] == {V3: {"rpm": 5}}
    back = desk.send("POST", "/config/revert", operator.token, {"version": first, "note": "oh"})
    assert (back.json["version"], back.json["note"]) == (first + 2, "oh")
    assert shown(desk, operator).json["tree"] == one["tree"]
    for name in ("0", "99999", "x", "-1", "1.0"):
        reply = desk.send("GET", f"/config/versions/{name}", operator.token)
        assert (reply.status, reply.code) == (404, "no_such_object")
    lost = desk.send("POST", "/config/revert", operator.token, {"version": 99999})
    assert (lost.status, lost.code) == (404, "no_such_object")


def test_secrets_are_never_shown_and_are_kept(desk: Desk, operator: Person) -> None:
    replies = [put(desk, operator, {"deployments": {"big": BIG}})]
    number = replies[0].json["version"]
    replies.append(shown(desk, operator))
    tree = replies[-1].json["tree"]
    assert tree["deployments"]["big"]["key"] == "<secret deployments.big.key>"
    tree["deployments"]["big"]["slots"] = 4
    replies.append(put(desk, operator, tree))
    assert [each["field"] for each in replies[-1].json["changes"]] == ["deployments.big.slots"]
    assert desk.served.tree["deployments"]["big"] == {**BIG, "slots": 4}
    replies.append(
        patch(desk, operator, {"models": {V3: {"title": tree["deployments"]["big"]["key"]}}})
    )
    assert replies[-1].status == 400
    replies.append(patch(desk, operator, {"deployments": {"big": {"key": "sk-secret-2"}}}))
    for path in (f"/config/versions/{number}", "/config/versions", "/audit?subject=config"):
        replies.append(desk.send("GET", path, operator.token))
    assert "sk-secret" not in "".join(json.dumps(each.json) for each in replies)


def test_of_two_at_once_one_is_refused(desk: Desk, operator: Person) -> None:
    patch(desk, operator, {"limits": {"rpm": 1}})
    tag = shown(desk, operator).headers["etag"]
    replies = at_once(
        desk,
        *(
            (
                "PATCH",
                "/config",
                operator.token,
                {"patch": {"limits": {"rpm": n}}},
                {"if_match": tag},
            )
            for n in (2, 3)
        ),
    )
    assert sorted(each.status for each in replies) == [200, 412]
    won = next(each for each in replies if each.status == 200)
    assert shown(desk, operator).json["tree"]["limits"] == {"rpm": won.json["changes"][0]["after"]}
    trial = {"patch": {"limits": {"rpm": 9}}, "validate_only": True}
    late = desk.send("PATCH", "/config", operator.token, trial, if_match=tag)
    assert (late.status, late.code) == (412, "changed_meanwhile")


def test_the_etag_is_the_version(desk: Desk, operator: Person) -> None:
    number = patch(desk, operator, {"limits": {"rpm": 3}}).json["version"]
    assert shown(desk, operator).headers["etag"] == f'"{number}"'
    late = patch(desk, operator, {"limits": {"rpm": 4}}, if_match=f'"{number - 1}"')
    assert (late.status, late.code) == (412, "changed_meanwhile")
    nothing = patch(desk, operator, {"limits": {"rpm": 3}}, if_match=f'"{number}"')
    assert (nothing.status, nothing.headers["etag"]) == (200, f'"{number}"')
    made = patch(desk, operator, {"limits": {"rpm": 4}}, if_match=f'"{number}"')
    assert (made.status, made.json["version"]) == (200, number + 1)
    assert made.headers["etag"] == f'"{number + 1}"'
    back = desk.send(
        "POST", "/config/revert", operator.token, {"version": number}, if_match=f'"{number}"'
    )
    assert back.status == 412


def test_the_same_key_is_one_version(desk: Desk, operator: Person) -> None:
    body = {"limits": {"rpm": 77}}
    first, again = (patch(desk, operator, body, idempotency_key="config") for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json == first.json


def test_a_trial_changes_nothing(desk: Desk, operator: Person) -> None:
    before = shown(desk, operator)
    for method, body in (
        ("PUT", {"tree": {"limits": {"rpm": 8}}}),
        ("PATCH", {"patch": {"limits": {"rpm": 8}}}),
    ):
        reply = desk.send(method, "/config", operator.token, {**body, "validate_only": True})
        assert (reply.status, reply.json["validate_only"], reply.json["changed"]) == (200, True, 1)
    assert shown(desk, operator).json == before.json


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"patch": {"model": {}}}, "did you mean `models`"),
        ({"patch": {"models": {V3: {"rpn": 1}}}}, "did you mean `rpm`"),
        ({"patch": {"models": {V3: {"rpm": -1}}}}, "rpm is -1"),
        ({"patch": {"models": {"a\u0000": {}}}}, "printable"),
        ({"patch": []}, "patch is an empty array, allowed: an object of sections"),
        ({"patch": {}, "note": "a" * 201}, "note"),
        ({"patch": {}, "note": "a\nb"}, "note"),
        ({"patch": {"models": {V3: {"title": "x" * 2**20}}}}, "1048576"),
        ({"patch": {"safety": {"lists": {"a.txt": "x\t7"}}}}, "line 1"),
        ({"tree": {}}, "no field of this operation"),
    ],
)
def test_what_is_wrong_is_named(desk: Desk, operator: Person, body: Any, told: str) -> None:
    before = shown(desk, operator).json["version"]
    reply = desk.send("PATCH", "/config", operator.token, body)
    assert reply.status == 400, reply
    assert told in reply.json["error"]["message"]
    assert shown(desk, operator).json["version"] == before


def test_a_body_that_is_too_large(desk: Desk, operator: Person) -> None:
    reply = patch(desk, operator, {"safety": {"lists": {"a.txt": "x" * 2**22}}})
    assert (reply.status, reply.code) == (413, "request_too_large")


def test_each_change_is_audited_with_its_author(desk: Desk, operator: Person) -> None:
    patch(desk, operator, {"models": {V3: {"rpm": 5}}})
    patch(desk, operator, {"models": {V3: {"rpm": 6}}})
    field = f"models.{V3}.rpm"
    action, before, after = audited(desk, operator, "config")[0]
    assert (action, before, after) == ("config.apply", {field: 5}, {field: 6})
    rows = desk.send("GET", "/audit?subject=config&limit=1", operator.token).json["data"]
    assert rows[0]["actor"] == operator.id


def test_what_the_gateway_cannot_apply_is_told(desk: Desk, operator: Person) -> None:
    with desk.unable("no weights"):
        reply = patch(desk, operator, {"limits": {"rpm": 44}})
    assert (reply.status, reply.json["trouble"]) == (200, "no weights")
