"""An Idempotency-Key, `If-Match`, and two who do the same at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.admin.desk import Desk, Person, Reply, unique
from tests.admin.requests import REQUESTS
from tests.admin.world import made
from xinghe.admin.operation import Operation
from xinghe.admin.table import OPERATIONS

GRANT = {"amount": 5, "reason": "prize"}


def balance(desk: Desk, who: Person, operator: Person) -> Any:
    return desk.send("GET", f"/wallets/{who.number}", operator.token).json["balance"]


def at_once(desk: Desk, *requests: tuple[str, str, str, Any, dict[str, Any]]) -> list[Reply]:
    async def all_of_them() -> list[Reply]:
        sent = (
            desk.sending(method, path, token, body, **headers)
            for method, path, token, body, headers in requests
        )
        return await asyncio.gather(*sent)

    return desk.run(all_of_them())


def test_a_grant_that_is_sent_twice_is_given_once(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/wallets/{who.number}/grants"
    first, again = (
        desk.send("POST", path, operator.token, GRANT, idempotency_key="k1") for _ in range(2)
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json == first.json
    assert balance(desk, who, operator) == 5
    other = desk.send("POST", path, operator.token, {**GRANT, "amount": 6}, idempotency_key="k1")
    assert other.code == "idempotency_key_reused"
    assert balance(desk, who, operator) == 5
    assert desk.send("POST", path, operator.token, GRANT, idempotency_key="k2").status == 200
    assert balance(desk, who, operator) == 10


def test_the_same_key_for_another_wallet_is_another_grant(desk: Desk, operator: Person) -> None:
    people = [desk.person(unique()) for _ in range(2)]
    for who in people:
        path = f"/wallets/{who.number}/grants"
        desk.send("POST", path, operator.token, GRANT, idempotency_key="both")
    assert [balance(desk, who, operator) for who in people] == [5, 5]


def test_a_grant_whose_answer_was_lost_is_given_once(
    desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies between the commit and the answer: the key is stored by then."""
    who = desk.person(unique())
    path = f"/wallets/{who.number}/grants"

    async def dead(*_: Any) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr("xinghe.idempotency.PendingResponse.store", dead)
        lost = desk.send("POST", path, operator.token, GRANT, idempotency_key="lost")
    assert lost.status == 500
    again = desk.send("POST", path, operator.token, GRANT, idempotency_key="lost")
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.json["amount"], balance(desk, who, operator)) == (5, 5)


def test_a_hundred_at_once_with_one_key(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/wallets/{who.number}/grants"
    one = ("POST", path, operator.token, GRANT, {"idempotency_key": "many"})
    replies = at_once(desk, *[one] * 100)
    assert {reply.status for reply in replies} == {200}
    assert balance(desk, who, operator) == 5


def test_no_answer_with_a_secret_is_stored(desk: Desk, operator: Person) -> None:
    for operation in OPERATIONS:
        fields = operation.answer.__struct_fields__
        if {"secret", "code", "codes"} & {*fields}:
            # What is kept of an invitation lacks its code (test_groups).
            assert not operation.repeatable or operation.name == "invitations.create"
    path = f"/members/{operator.id}/tokens"
    reply = desk.send("POST", path, operator.token, {}, idempotency_key="k")
    assert (reply.status, reply.code) == (400, "malformed_json")


def test_if_match_lets_one_of_two_through(desk: Desk, operator: Person) -> None:
    group, managers = desk.group(unique()), [desk.person(unique()) for _ in range(2)]
    for each in managers:
        desk.join(group.id, each, "owner")
    path = f"/groups/{group.id}"
    read = desk.send("GET", path, managers[0].token)
    tag = read.headers["etag"]
    names = [unique(), unique()]
    replies = at_once(
        desk,
        *(
            ("PATCH", path, who.token, {"name": name}, {"if_match": tag})
            for who, name in zip(managers, names, strict=True)
        ),
    )
    assert sorted(reply.status for reply in replies) == [200, 412]
    won = next(reply for reply in replies if reply.status == 200)
    lost = next(reply for reply in replies if reply.status == 412)
    assert lost.code == "changed_meanwhile"
    now = desk.send("GET", path, managers[0].token)
    assert now.json["name"] == won.json["name"]
    assert now.headers["etag"] == won.headers["etag"] != tag
    last = desk.send(
        "PATCH", path, managers[1].token, {"name": names[1] + "!"}, if_match=now.headers["etag"]
    )
    assert last.status == 200


def test_if_match_lets_one_of_two_services_through(desk: Desk, operator: Person) -> None:
    other = desk.service()
    who = desk.person(unique())
    path = f"/members/{who.id}"
    for _ in range(20):
        tag = desk.send("GET", path, operator.token).headers["etag"]

        async def race(tag: str) -> list[Reply]:
            body = {"disabled": False}
            return await asyncio.gather(
                *(
                    desk.sending("PATCH", path, operator.token, body, by=by, if_match=tag)
                    for by in (desk.admin, other)
                )
            )

        assert sorted(reply.status for reply in desk.run(race(tag))) == [200, 412]


def test_if_match_that_is_none(desk: Desk, operator: Person) -> None:
    path = f"/members/{operator.id}"
    for wrong in ("x", '"x"', '"1", "2"', 'W/"1"', '"' + "9" * 30 + '"'):
        reply = desk.send("PATCH", path, operator.token, {}, if_match=wrong)
        assert (reply.status, reply.code) == (400, "malformed_json")
    for right in (desk.send("GET", path, operator.token).headers["etag"], "*"):
        change = {"disabled": False}
        assert desk.send("PATCH", path, operator.token, change, if_match=right).status == 200


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.method != "GET"], ids=lambda each: each.name
)
def test_every_operation_heeds_if_match_or_refuses_it(
    desk: Desk, operator: Person, operation: Operation
) -> None:
    row = next(row for row in REQUESTS if row.split(" ")[0] == operation.name)
    method, path, body = REQUESTS[row](desk.write(partial(made, role="alone")))
    reply = desk.send(method, path, operator.token, body, if_match='"999999999"')
    assert reply.code == ("changed_meanwhile" if operation.conditional else "malformed_json")


def test_several_fields_are_changed_under_one_tag(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/members/{who.id}"
    tag = desk.send("GET", path, operator.token).headers["etag"]
    changes = {"name": unique(), "disabled": True, "operator": True}
    reply = desk.send("PATCH", path, operator.token, changes, if_match=tag)
    assert reply.json.items() >= changes.items()
    assert desk.send("GET", path, operator.token).headers["etag"] == reply.headers["etag"]


def test_two_who_take_the_same_name(desk: Desk, operator: Person) -> None:
    other = desk.person(unique(), operator=True)
    for path in ("/members", "/groups"):
        name = unique()
        replies = at_once(
            desk, *[("POST", path, who.token, {"name": name}, {}) for who in (operator, other)] * 5
        )
        codes = [reply.code if reply.status != 200 else "made" for reply in replies]
        assert sorted(codes) == ["conflict"] * 9 + ["made"]


def test_two_owners_who_remove_each_other(desk: Desk) -> None:
    group, owners = desk.group(unique()), [desk.person(unique()) for _ in range(2)]
    desk.join(group.id, desk.person(unique()))
    for each in owners:
        desk.join(group.id, each, "owner")
    path = f"/groups/{group.id}/members"
    replies = at_once(
        desk,
        ("DELETE", f"{path}/{owners[1].id}", owners[0].token, None, {}),
        ("DELETE", f"{path}/{owners[0].id}", owners[1].token, None, {}),
    )
    assert sum(reply.status == 200 for reply in replies) == 1
    left = desk.read(
        lambda c: c.value(
            "SELECT count(*) FROM memberships WHERE group_id = $1 AND role = 'owner'", group.id
        )
    )
    assert left == 1


def test_fifty_grants_at_once_are_all_given(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/wallets/{who.number}/grants"
    replies = at_once(desk, *[("POST", path, operator.token, GRANT, {})] * 50)
    assert {reply.status for reply in replies} == {200}
    assert balance(desk, who, operator) == 250
