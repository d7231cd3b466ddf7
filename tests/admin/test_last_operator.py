"""Over HTTP somebody who may administer the service is always left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.admin.desk import Desk, Person, Reply, unique
from xinghe.accounts import Members

ENDS: list[tuple[str, Any]] = [
    ("PATCH", {"operator": False}),
    ("PATCH", {"disabled": True}),
    ("DELETE", None),
]


def operators(desk: Desk, count: int) -> list[Person]:
    """So many operators who are all that there are."""
    desk.write(lambda c: c.run("UPDATE members SET operator = 0"))
    return [desk.person(unique(), operator=True) for _ in range(count)]


def active(desk: Desk) -> int:
    query = "SELECT count(*) FROM members WHERE operator = 1 AND disabled_at IS NULL"
    return int(desk.read(lambda c: c.value(query)))


def refused(reply: Reply) -> None:
    assert (reply.status, reply.code) == (400, "conflict")
    assert (
        "is the only operator who is not disabled: make another" in (reply.json["error"]["message"])
    )


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PATCH", {"operator": False}),
        ("PATCH", {"name": "gone", "operator": False, "password": "correct horse 电池"}),
        ("DELETE", None),
    ],
)
def test_the_last_operator_stays(desk: Desk, method: str, body: Any) -> None:
    [last] = operators(desk, 1)
    path = f"/members/{last.id}"
    before = desk.send("GET", path, last.token)
    refused(desk.send(method, path, last.token, body))
    after = desk.send("GET", path, last.token)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])


def test_a_disabled_operator_does_not_count(desk: Desk) -> None:
    first, second = operators(desk, 2)
    assert (
        desk.send("PATCH", f"/members/{second.id}", first.token, {"disabled": True}).status == 200
    )
    refused(desk.send("PATCH", f"/members/{first.id}", first.token, {"operator": False}))
    # He is no more than before whatever becomes of him.
    path = f"/members/{second.id}"
    assert desk.send("PATCH", path, first.token, {"operator": False}).status == 200
    assert desk.send("DELETE", path, first.token).status == 200


@pytest.mark.parametrize(("method", "body"), ENDS)
def test_beside_another_one_he_may_go(desk: Desk, method: str, body: Any) -> None:
    first, second = operators(desk, 2)
    assert desk.send(method, f"/members/{second.id}", first.token, body).status == 200
    assert active(desk) == 1


def test_what_is_no_loss_is_done(desk: Desk) -> None:
    [last] = operators(desk, 1)
    path = f"/members/{last.id}"
    for body in ({"operator": True}, {"name": unique()}):
        assert desk.send("PATCH", path, last.token, body).status == 200


@pytest.mark.parametrize(("method", "body"), ENDS)
def test_two_who_take_it_from_each_other_leave_one(desk: Desk, method: str, body: Any) -> None:
    """From two services at once."""
    services = desk.admin, desk.service()
    done = set()

    async def both(pairs: Any) -> list[Reply]:
        asked = [
            desk.sending(method, f"/members/{whom.id}", who.token, body, by=by)
            for by, (who, whom) in zip(services, pairs, strict=True)
        ]
        return await asyncio.gather(*asked)

    for _ in range(8):
        one, other = operators(desk, 2)
        replies = desk.run(both([(one, other), (other, one)]))
        assert active(desk) == 1
        statuses = sorted(reply.status for reply in replies)
        done.add(tuple(statuses))
        assert statuses[0] == 200
        assert statuses[1] in (400, 401, 403, 404)
        for reply in replies:
            if reply.status == 400:
                refused(reply)
    assert done


def test_the_command_line_may_take_it_from_the_last_one(desk: Desk) -> None:
    """Whoever may use it makes another one the same way."""
    [last] = operators(desk, 1)
    desk.run(Members(desk.database).set_operator(last.id, False))
    assert active(desk) == 0
    desk.run(Members(desk.database).delete(last.id))
