"""Members and their tokens: what is made, changed, revoked and deleted."""

from __future__ import annotations

import pytest

from tests.admin.desk import LATER, Desk, Person, audited, unique
from xinghe.accounts import Principals
from xinghe.ledger.windows import HOUR


def test_a_token_is_shown_once_and_works(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    body = {
        "name": "lab", "scopes": ["account.read"], "models": ["ernie-3.5-8k"], "expires_at": LATER
    }  # fmt: skip
    made = desk.send("POST", f"/members/{who.id}/tokens", operator.token, body)
    assert made.json | body == made.json
    assert (made.json["member"], made.json["state"]) == (who.id, "active")
    principal = desk.run(Principals(desk.database).authenticate(made.json["secret"]))
    assert principal is not None
    assert principal.scopes == {"account.read"}
    assert principal.models == frozenset({"ernie-3.5-8k"})
    again = desk.send("GET", f"/tokens/{made.json['id']}", operator.token)
    assert "secret" not in again.json
    assert made.json["secret"].split("-")[2] not in str(audited(desk, operator, made.json["id"]))


def test_a_token_is_changed_and_revoked(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    made = desk.send("POST", f"/members/{who.id}/tokens", operator.token, {}).json
    path = f"/tokens/{made['id']}"
    changes = {"models": ["ernie-3.5-8k"], "scopes": ["model.call"], "expires_at": LATER}
    changed = desk.send("PATCH", path, operator.token, changes)
    secret = made.pop("secret")
    assert changed.json == {**made, **changes}
    assert desk.send("PATCH", path, operator.token, {"models": None}).json["models"] is None
    assert desk.send("PATCH", path, operator.token, {}).json["scopes"] == ["model.call"]
    principals = Principals(desk.database)
    assert desk.run(principals.authenticate(secret)) is not None
    for _ in range(2):
        assert desk.send("DELETE", path, operator.token).json["state"] == "revoked"
    assert desk.run(principals.authenticate(secret)) is None
    assert desk.send("PATCH", path, operator.token, {"name": "late"}).code == "conflict"
    actions = [action for action, *_ in audited(desk, operator, made["id"])]
    assert actions == ["token.revoke", *["token.change"] * 3, "token.create"]


def test_a_token_tells_when_it_was_last_used(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/tokens/{who.public_id}"
    assert desk.send("GET", path, who.token).json["last_used_at"] is None
    hour = 500_000 * HOUR

    def use(at: int, model: str, outcome: str, last_at: int | None) -> None:
        desk.write(
            lambda c: c.run(
                "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, "
                "last_at) SELECT $1, $2, $1, id, $3, $4, $5 FROM tokens WHERE public_id = $6",
                who.number, at, model, outcome, last_at, who.public_id,
            )
        )  # fmt: skip

    use(hour - HOUR, "a", "", hour - 1_000_000)
    use(hour, "a", "", hour + 120_000_000)
    use(hour, "b", "", hour + 61_000_000)
    use(hour, "b", "internal_error", None)
    told = desk.send("GET", path, who.token).json["last_used_at"]
    assert told == "2027-01-15T08:02:00Z"
    use(hour + 2 * HOUR, "b", "internal_error", None)  # whose moment nothing tells
    listed = desk.send("GET", f"/members/{who.id}/tokens", who.token).json["data"]
    assert [each["last_used_at"] for each in listed] == ["2027-01-15T10:00:00Z"]


def test_a_member_is_renamed_disabled_and_deleted(desk: Desk, operator: Person) -> None:
    name, new = unique(), unique()
    made = desk.send("POST", "/members", operator.token, {"name": name}).json
    path = f"/members/{made['id']}"
    changed = desk.send("PATCH", path, operator.token, {"name": new, "disabled": True})
    assert changed.json == {**made, "name": new, "disabled": True}
    assert desk.send("GET", f"/members/{new}", operator.token).json == changed.json
    assert desk.send("GET", f"/members/{name}", operator.token).code == "no_such_object"
    assert ("member.rename", {"name": name}, {"name": new}) in audited(desk, operator, made["id"])
    assert desk.send("DELETE", path, operator.token).json == {"id": made["id"], "deleted": True}
    assert desk.send("GET", path, operator.token).code == "no_such_object"
    assert name not in str(audited(desk, operator, made["id"]))


def test_a_password_is_given_and_told_nobody(
    desk: Desk, operator: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    who = desk.person(unique())
    path, password = f"/members/{who.id}", "correct horse 电池"
    kept = "SELECT password FROM members WHERE id = $1"
    assert desk.send("PATCH", path, operator.token, {"password": password}).status == 200
    hashed = desk.read(lambda c: c.value(kept, who.number))
    assert desk.run(desk.passwords.verify(hashed, password))[0]
    for wrong in ("short", "password123", "x" * 300, "nul \0 in it " * 2):
        reply = desk.send("PATCH", path, operator.token, {"password": wrong, "disabled": True})
        assert (reply.status, reply.json["error"]["param"]) == (400, "password")
        assert wrong not in reply.json["error"]["message"]
    assert desk.send("GET", path, operator.token).json["disabled"] is False
    assert desk.read(lambda c: c.value(kept, who.number)) == hashed
    told = "".join(capsys.readouterr()) + str(audited(desk, operator, who.id))
    assert password not in told
    assert "argon2" not in told


def test_a_name_that_is_taken(desk: Desk, operator: Person) -> None:
    name, other = unique(), unique()
    for path in ("/members", "/groups"):
        made = desk.send("POST", path, operator.token, {"name": name}).json
        desk.send("POST", path, operator.token, {"name": other})
        again = desk.send("POST", path, operator.token, {"name": name})
        assert (again.status, again.code) == (400, "conflict")
        renamed = desk.send(
            "PATCH", f"{path}/{made['id']}", operator.token, {"name": other, "models": None}
            if path == "/groups" else {"name": other, "disabled": True},
        )  # fmt: skip
        assert renamed.code == "conflict"
        assert desk.send("GET", f"{path}/{made['id']}", operator.token).json == made


def test_of_a_change_that_is_refused_in_part_nothing_is_done(desk: Desk, operator: Person) -> None:
    name = unique()
    group, who, other = desk.group(name), desk.person(name), desk.person(unique())
    bad = {"name": unique(), "models": ["ernie\u202e"]}
    assert desk.send("PATCH", f"/groups/{group.id}", operator.token, bad).status == 400
    assert desk.send("GET", f"/groups/{group.id}", operator.token).json["name"] == name
    path = f"/members/{who.id}"
    taken = {
        "disabled": True,
        "name": desk.send("GET", f"/members/{other.id}", other.token).json["name"],
    }
    assert desk.send("PATCH", path, operator.token, taken).code == "conflict"
    told = desk.send("GET", path, operator.token).json
    assert (told["name"], told["disabled"]) == (name, False)
    both = desk.send("PATCH", path, operator.token, {"disabled": True, "name": unique()})
    assert both.json["disabled"]
    assert both.headers["etag"] == desk.send("GET", path, operator.token).headers["etag"]


def test_a_member_of_an_impossible_name_is_not_there(desk: Desk, operator: Person) -> None:
    path = f"/groups/{desk.group(unique()).id}/members"
    for name in ("\0", "app-\0"):
        assert desk.send("POST", path, operator.token, {"member": name}).code == "conflict"
