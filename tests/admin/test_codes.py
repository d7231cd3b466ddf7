"""Redeem codes: an operator makes and revokes them, whoever has one redeems it, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.admin.desk import LATER, Desk, Person, Reply, audited, unique
from tests.admin.test_repeats import at_once
from xinghe.ledger import check
from xinghe.sales.code_text import make

BATCH = {"name": "welcome", "amount": 5, "count": 2, "expires_at": LATER}


def batch(desk: Desk, operator: Person, **changes: Any) -> Any:
    reply = desk.send("POST", "/codes", operator.token, {**BATCH, **changes})
    assert reply.status == 200, reply
    return reply.json


def redeem(desk: Desk, who: Person, code: str, wallet: int | None = None, **given: Any) -> Reply:
    path = f"/wallets/{who.number if wallet is None else wallet}/redeem"
    return desk.send("POST", path, who.token, {"code": code}, **given)


def test_from_the_making_to_the_end(desk: Desk, operator: Person) -> None:
    made = batch(desk, operator, valid_days=30, models=["ernie-3.5-8k"])
    codes = made.pop("codes")
    assert len(codes) == 2
    path = f"/codes/{made['id']}"
    assert desk.send("GET", path, operator.token).json == made
    assert made["state"] == "open"
    assert made["created_by"] == operator.id
    who = desk.person(unique())
    done = redeem(desk, who, codes[1].lower().replace("-", " ")).json
    assert (done["amount"], done["models"], done["balance"]) == (5, ["ernie-3.5-8k"], 5)
    [lot] = desk.send("GET", f"/wallets/{who.number}", who.token).json["lots"]
    assert (lot["kind"], lot["amount"], lot["expires_at"]) == ("code", 5, done["expires_at"])
    assert lot["models"] == ["ernie-3.5-8k"]
    [found] = desk.send("GET", f"{path}/redemptions", operator.token).json["data"]
    assert (found["number"], found["wallet"], found["member"]) == (2, who.number, who.id)
    revoked = desk.send("DELETE", path, operator.token).json
    assert (revoked["state"], revoked["redeemed"]) == ("revoked", 1)
    assert desk.send("DELETE", path, operator.token).json == revoked
    assert redeem(desk, who, codes[0]).code == "conflict"
    assert [row[0] for row in audited(desk, operator, f"codes-{made['id']}")] == [
        "codes.revoke",
        "codes.create",
    ]
    assert [row[0] for row in audited(desk, operator, who.id)][:1] == ["code.redeem"]
    assert desk.read(check) == []


def test_the_lists_come_in_pages(desk: Desk, operator: Person) -> None:
    made = [batch(desk, operator, count=3) for _ in range(3)]
    who, path = desk.person(unique()), "/codes?limit=1"
    after, found = f"&after={made[0]['id'] - 1}", []
    for _ in made:
        listed = desk.send("GET", path + after, operator.token).json
        found += [each["id"] for each in listed["data"]]
        after = f"&after={listed['next']}"
    assert found == [each["id"] for each in made]
    assert "codes" not in listed["data"][0]
    for code in made[0]["codes"]:
        redeem(desk, who, code)
    path = f"/codes/{made[0]['id']}/redemptions?limit=2"
    first = desk.send("GET", path, operator.token).json
    last = desk.send("GET", f"{path}&after={first['next']}", operator.token).json
    numbers = [each["number"] for each in (*first["data"], *last["data"])]
    assert (numbers, first["has_more"], last["has_more"]) == ([1, 2, 3], True, False)


def test_two_hundred_race_for_one_code(desk: Desk, operator: Person) -> None:
    """By two services on one database: one member gets it, and the others are told."""
    made = batch(desk, operator, count=1)
    [code] = made["codes"]
    people = [desk.person(unique()) for _ in range(200)]
    other = desk.service()

    async def race() -> list[Reply]:
        sent = (
            desk.sending(
                "POST", f"/wallets/{who.number}/redeem", who.token, {"code": code},
                by=(desk.admin, other)[place % 2],
            )
            for place, who in enumerate(people)
        )  # fmt: skip
        return await asyncio.gather(*sent)

    replies = desk.run(race())
    won = [who for who, reply in zip(people, replies, strict=True) if reply.status == 200]
    assert len(won) == 1
    assert {reply.code for reply in replies if reply.status != 200} == {"conflict"}
    query = "SELECT id FROM wallets WHERE available = 5000000 AND id >= $1"
    assert desk.read(lambda c: c.rows(query, people[0].number)) == [(won[0].number,)]
    assert desk.send("GET", f"/codes/{made['id']}", operator.token).json["redeemed"] == 1
    assert desk.read(check) == []


def test_a_batch_is_redeemed_and_revoked_at_once(desk: Desk, operator: Person) -> None:
    made = batch(desk, operator, count=20)
    people = [desk.person(unique()) for _ in made["codes"]]
    *replies, revoked = at_once(
        desk,
        *(
            ("POST", f"/wallets/{who.number}/redeem", who.token, {"code": code}, {})
            for who, code in zip(people, made["codes"], strict=True)
        ),
        ("DELETE", f"/codes/{made['id']}", operator.token, None, {}),
    )
    assert revoked.status == 200
    assert {reply.status for reply in replies} <= {200, 400}
    through = sum(reply.status == 200 for reply in replies)
    after = desk.send("GET", f"/codes/{made['id']}", operator.token).json
    assert after["redeemed"] == through
    assert desk.read(check) == []


def test_whose_wallet_it_may_be(desk: Desk, operator: Person) -> None:
    codes = batch(desk, operator, count=2)["codes"]
    group, manager, pupil = desk.group(unique()), desk.person(unique()), desk.person(unique())
    desk.join(group.id, manager, "manager")
    desk.join(group.id, pupil)
    for who, wallet in ((pupil, group.wallet_id), (pupil, manager.number), (manager, pupil.number)):
        assert redeem(desk, who, codes[0], wallet).code == "no_such_object"
    assert redeem(desk, manager, codes[0], group.wallet_id).json["balance"] == 5
    assert redeem(desk, operator, codes[1], pupil.number).json["balance"] == 5


def test_a_request_that_is_sent_twice_redeems_once(desk: Desk, operator: Person) -> None:
    [code] = batch(desk, operator, count=1)["codes"]
    who = desk.person(unique())
    first, again = (redeem(desk, who, code, idempotency_key="k") for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert (first.status, again.json) == (200, first.json)


def test_who_guesses_is_slowed_and_nobody_else(desk: Desk, operator: Person) -> None:
    codes = batch(desk, operator, count=3)["codes"]
    guesser, other = desk.person(unique()), desk.person(unique())
    assert redeem(desk, guesser, codes[0]).status == 200
    for code in make(5):
        reply = redeem(desk, guesser, code)
        assert (reply.status, reply.json["error"]["param"]) == (400, "code")
    for code in (*make(1), codes[1]):
        reply = redeem(desk, guesser, code)
        assert (reply.status, reply.code) == (429, "user_rate_limit_exceeded")
        assert int(reply.headers["retry-after"]) >= 1
    assert redeem(desk, other, codes[1]).status == 200


def test_who_has_real_codes_is_never_slowed(desk: Desk, operator: Person) -> None:
    codes = batch(desk, operator, count=30)["codes"]
    who = desk.person(unique())
    replies = [redeem(desk, who, code).status for code in codes for _ in range(2)]
    assert replies == [200, 400] * 30


def tried_at_once(desk: Desk, who: Person, codes: list[str]) -> list[Reply]:
    path = f"/wallets/{who.number}/redeem"
    return at_once(desk, *(("POST", path, who.token, {"code": code}, {}) for code in codes))


def test_real_codes_at_once_are_no_guesses(desk: Desk, operator: Person) -> None:
    codes = batch(desk, operator, count=30)["codes"]
    who = desk.person(unique())
    assert {reply.status for reply in tried_at_once(desk, who, codes)} == {200}


def test_guesses_at_once_are_no_more_than_one_after_the_other(desk: Desk, operator: Person) -> None:
    codes = batch(desk, operator, count=5)["codes"]
    who = desk.person(unique())
    wrong = [*codes, *make(200)]
    replies = [(each.status, each.code) for each in tried_at_once(desk, who, wrong)[5:]]
    assert replies.count((400, "malformed_json")) == 5
    assert replies.count((429, "user_rate_limit_exceeded")) == 195


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"count": 0}, "count"),
        ({"count": 10_001}, "count"),
        ({"count": "2"}, "count"),
        ({"amount": 0}, "amount"),
        ({"amount": 0.0000001}, "amount"),
        ({"expires_at": "2020-01-01"}, "expires_at"),
        ({"expires_at": None}, "expires_at"),
        ({"valid_days": 0}, "valid_days"),
        ({"valid_days": 36_501}, "valid_days"),
        ({"models": []}, "models"),
        ({"models": [" "]}, "models"),
        ({"name": ""}, "name"),
        ({"name": "app-x"}, "name"),
        ({"codes": ["XH-MINE"]}, "codes"),
    ],
)
def test_a_batch_that_is_none(desk: Desk, operator: Person, changes: Any, param: str) -> None:
    reply = desk.send("POST", "/codes", operator.token, {**BATCH, **changes})
    assert (reply.status, reply.code) == (400, "malformed_json")
    assert reply.json["error"]["param"] == param


@pytest.mark.parametrize("code", ["", "x" * 101, 5, None, ["XH-SECRET"]])
def test_no_refusal_repeats_a_code(desk: Desk, operator: Person, code: Any) -> None:
    reply = redeem(desk, operator, code)
    assert (reply.status, reply.json["error"]["param"]) == (400, "code")
    assert "SECRET" not in str(reply.json)


def test_no_code_is_logged_or_kept(desk: Desk, operator: Person) -> None:
    with capture_logs() as logged:
        codes = batch(desk, operator)["codes"]
        who = desk.person(unique())
        for _ in range(2):
            redeem(desk, who, codes[0], idempotency_key="kept?")
            redeem(desk, who, codes[0])
    reply = desk.send("POST", "/codes", operator.token, BATCH, idempotency_key="k")
    assert (reply.status, reply.code) == (400, "malformed_json")
    audit = desk.send("GET", "/audit?limit=20", operator.token).json
    kept = desk.read(lambda c: c.rows("SELECT * FROM kept_answers"))
    for code in codes:
        for place in (logged, audit, kept):
            assert code not in str(place)
