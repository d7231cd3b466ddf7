"""What each operation does, and what it says of what it did."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.admin.desk import Desk, Person
from xinghe.accounts import Principals
from xinghe.accounts.budget_tables import MOST_OF_ONE
from xinghe.ledger.windows import HOUR

NAMES = itertools.count()
LATER = "2099-12-31T12:00:00Z"


def unique() -> str:
    return f"case {next(NAMES)}"


def audited(desk: Desk, operator: Person, subject: str) -> list[tuple[str, Any, Any]]:
    rows = desk.send("GET", f"/audit?subject={subject}", operator.token).json["data"]
    return [(row["action"], row["before"], row["after"]) for row in rows]


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


@pytest.mark.parametrize(("path", "kind"), [("/members", "member"), ("/groups", "group")])
def test_a_new_wallet_has_the_initial_grant(
    desk: Desk, operator: Person, path: str, kind: str
) -> None:
    made = desk.send("POST", path, operator.token, {"name": unique()}).json
    wallet = desk.send("GET", f"/wallets/{made['wallet']}", operator.token).json
    assert (wallet["available"], wallet["held"], wallet["balance"]) == (1_000_000, 0, 1_000_000)
    assert wallet[kind] == made["id"]
    assert [(lot["amount"], lot["note"]) for lot in wallet["lots"]] == [
        (1_000_000, "initial grant")
    ]


def test_a_grant_has_a_reason_and_an_expiry(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/wallets/{who.number}"
    body = {"amount": 12.345678, "reason": "竞赛奖励", "expires_at": LATER}
    granted = desk.send("POST", f"{path}/grants", operator.token, body).json
    assert granted | body == granted
    desk.send("POST", f"{path}/grants", operator.token, {"amount": 1, "reason": "more"})
    wallet = desk.send("GET", path, operator.token).json
    lots = [(lot["amount"], lot["expires_at"], lot["note"]) for lot in wallet["lots"]]
    assert lots == [(12.345678, LATER, "竞赛奖励"), (1, None, "more")]
    assert wallet["balance"] == 13.345678
    [_, (action, before, after)] = audited(desk, operator, who.id)[:2]
    assert (action, before, after["note"]) == ("wallet.grant", None, "竞赛奖励")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"amount": 0, "reason": "x"}, "amount"),
        ({"amount": 0.0000001, "reason": "x"}, "amount"),
        ({"amount": -1, "reason": "x"}, "amount"),
        ({"amount": 10**12 + 1, "reason": "x"}, "amount"),
        ({"amount": "5", "reason": "x"}, "amount"),
        ({"amount": None, "reason": "x"}, "amount"),
        ({"reason": "x"}, "amount"),
        ({"amount": 5}, "reason"),
        ({"amount": 5, "reason": ""}, "reason"),
        ({"amount": 5, "reason": "x" * 201}, "reason"),
        ({"amount": 5, "reason": "x", "expires_at": "2020-01-01"}, "expires_at"),
        ({"amount": 5, "reason": "x", "expires_at": "soon"}, "expires_at"),
        ({"amount": 5, "reason": "x", "expires_at": 4102444800}, "expires_at"),
        ({"amount": 5, "reason": "x", "note": "y"}, "note"),
    ],
)
def test_a_grant_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    reply = desk.send("POST", f"/wallets/{operator.number}/grants", operator.token, body)
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (
        400,
        "malformed_json",
        param,
    )


def test_a_note_that_no_line_can_hold(desk: Desk, operator: Person) -> None:
    path = f"/wallets/{operator.number}/grants"
    for reason in ("two\nlines", "nul\0", "\u202e"):
        reply = desk.send("POST", path, operator.token, {"amount": 5, "reason": reason})
        assert (reply.status, reply.json["error"]["param"]) == (400, "reason")


def test_a_group_and_who_is_in_it(desk: Desk, operator: Person) -> None:
    school = desk.send("POST", "/groups", operator.token, {"name": unique()}).json
    group = desk.send(
        "POST", "/groups", operator.token, {"name": unique(), "parent": school["id"]}
    ).json
    assert group["parent"] == school["id"]
    inner = {"name": unique(), "parent": group["id"]}
    assert desk.send("POST", "/groups", operator.token, inner).status == 400
    listed = desk.send("GET", f"/groups?parent={school['id']}", operator.token).json["data"]
    assert [each["id"] for each in listed] == [group["id"]]

    owner, pupil = desk.person(unique()), desk.person(unique())
    path = f"/groups/{group['id']}/members"
    for who, role in ((owner, "owner"), (pupil, "member")):
        body = {"member": who.id, "role": role}
        assert desk.send("POST", path, operator.token, body).json["role"] == role
    assert desk.send("POST", path, operator.token, body).code == "conflict"
    places = desk.send("GET", path, owner.token).json["data"]
    assert [(each["member"], each["role"]) for each in places] == [
        (owner.id, "owner"), (pupil.id, "member"),
    ]  # fmt: skip
    assert [each["id"] for each in desk.send("GET", "/groups", pupil.token).json["data"]] == [
        group["id"]
    ]
    change = desk.send("PATCH", f"{path}/{pupil.id}", owner.token, {"role": "manager"})
    assert change.json["role"] == "manager"
    assert desk.send("DELETE", f"{path}/{owner.id}", owner.token).code == "conflict"  # the last one
    assert desk.send("DELETE", f"{path}/{pupil.id}", pupil.token).status == 200
    assert desk.send("DELETE", f"{path}/{pupil.id}", owner.token).code == "no_such_object"
    assert desk.send("DELETE", f"/groups/{school['id']}", operator.token).code == "conflict"
    assert desk.send("DELETE", f"/groups/{group['id']}", operator.token).status == 200
    assert desk.send("GET", f"/groups/{group['id']}", operator.token).code == "no_such_object"


def test_a_group_is_called_by_its_name_as_well(desk: Desk, operator: Person) -> None:
    name = f"一班/2026 {next(NAMES)}"
    made = desk.send("POST", "/groups", operator.token, {"name": name}).json
    escaped = name.replace("/", "%2F")
    assert desk.send("GET", f"/groups/{escaped}", operator.token).json == made


def test_an_invitation_is_shown_once(desk: Desk, operator: Person) -> None:
    group = desk.group(unique())
    path = f"/groups/{group.id}/invitations"
    made = desk.send("POST", path, operator.token, {"uses": 3, "role": "manager"}).json
    assert (made["uses_left"], made["state"], made["created_by"]) == (3, "open", operator.id)
    [listed] = desk.send("GET", path, operator.token).json["data"]
    assert listed == {name: value for name, value in made.items() if name != "code"}
    for _ in range(2):
        gone = desk.send("DELETE", f"/invitations/{made['id']}", operator.token)
        assert gone.json["state"] == "revoked"


def test_what_pays_for_a_member(desk: Desk, operator: Person) -> None:
    who, group = desk.person(unique()), desk.group(unique())
    path = f"/members/{who.id}/payment"
    assert desk.send("GET", path, who.token).json["order"] == ["own"]
    assert desk.send("PUT", path, operator.token, {"order": [group.name]}).code == "conflict"
    desk.join(group.id, who)
    order = ["own", group.name]
    assert desk.send("PUT", path, who.token, {"order": order}).json["order"] == order
    assert desk.send("GET", path, operator.token).json["order"] == order
    for wrong in ([], ["own", "own"]):
        assert desk.send("PUT", path, who.token, {"order": wrong}).status == 400


def test_nobody_takes_the_tokens_of_a_group_that_does_not_pay_for_him(
    desk: Desk, operator: Person
) -> None:
    """A group's money is given by its managers: to be in it is not enough."""
    school = desk.group(unique())
    group = desk.group(unique(), school.id)
    pupil, manager = desk.person(unique()), desk.person(unique())
    desk.join(group.id, manager, "manager")
    desk.join(group.id, pupil)
    path = f"/members/{pupil.id}/payment"
    assert desk.send("PUT", path, pupil.token, {"order": ["own"]}).status == 200
    for who, name in ((pupil, group.name), (pupil, school.name), (manager, school.name)):
        reply = desk.send("PUT", path, who.token, {"order": [name]})
        # The pupil has no Tokens, but his own wallet pays now: nobody is in charge of him.
        assert (reply.status, reply.code) == (403, "not_permitted")
    assert desk.send("PUT", path, operator.token, {"order": [group.name]}).status == 200
    reply = desk.send("PUT", path, manager.token, {"order": [group.name, school.name]})
    assert (reply.code, reply.json["error"]["param"]) == ("not_permitted", "order")
    for who in (manager, pupil):
        assert desk.send("PUT", path, who.token, {"order": [group.name]}).status == 200


def test_whether_there_is_a_group_is_not_told_to_who_would_be_paid_by_it(desk: Desk) -> None:
    who, foreign, missing = desk.person(unique()), desk.group(unique()).name, unique()
    told = []
    for name in (foreign, missing):
        reply = desk.send("PUT", f"/members/{who.id}/payment", who.token, {"order": [name]})
        told.append((reply.status, reply.code, reply.json["error"]["message"].replace(name, "…")))
    assert told[0] == told[1]


def test_who_holds_back_a_body_keeps_no_role_that_he_loses_meanwhile(desk: Desk) -> None:
    group, owner, other = desk.group(unique()), desk.person(unique()), desk.person(unique())
    for each in (owner, other):
        desk.join(group.id, each, "owner")
    path = f"/groups/{group.id}/members/{owner.id}"

    async def late() -> bytes:
        await desk.sending("PATCH", path, other.token, {"role": "member"})
        return b'{"role": "owner"}'

    assert desk.send("PATCH", path, owner.token, late()).code == "not_permitted"


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


def test_the_wallet_of_a_deleted_group_is_the_operators(desk: Desk, operator: Person) -> None:
    made = desk.send("POST", "/groups", operator.token, {"name": unique(), "tokens": 5}).json
    owner = desk.person(unique())
    desk.join(made["id"], owner, "owner")
    path = f"/wallets/{made['wallet']}"
    assert desk.send("GET", path, owner.token).json["balance"] == 5
    desk.send("DELETE", f"/groups/{made['id']}", operator.token)
    assert desk.send("GET", path, owner.token).code == "no_such_object"
    assert desk.send("GET", path, operator.token).json["balance"] == 5


def test_budgets(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    month = {
        "member": who.id, "unit": "tokens", "amount": 100.5, "per": "month",
        "zone": "Asia/Shanghai", "model": "ernie-3.5-8k",
    }  # fmt: skip
    made = desk.send("POST", "/budgets", operator.token, month).json
    assert made | month == made
    assert (made["used"], made["group"], made["token"]) == (0, None, None)
    path = f"/budgets/{made['id']}"
    changed = desk.send("PATCH", path, operator.token, {"amount": 7})
    assert changed.json == {**made, "amount": 7}
    of_token = {"token": who.public_id, "unit": "concurrent", "amount": 2}
    other = desk.send("POST", "/budgets", operator.token, of_token).json
    assert (other["token"], other["amount"], other["used"], other["per"]) == (
        who.public_id, 2, None, None,
    )  # fmt: skip
    assert (made["created_by"], other["created_by"]) == (operator.id, operator.id)
    listed = desk.send("GET", f"/budgets?member={who.id}", who.token).json["data"]
    assert listed == [changed.json]
    assert desk.send("DELETE", path, operator.token).json["deleted"] is True
    assert desk.send("GET", path, operator.token).code == "no_such_object"
    assert desk.send("GET", f"/budgets?member={who.id}", who.token).json["data"] == []


def test_who_holds_a_token_limits_it_further(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    day = {"token": who.public_id, "unit": "tokens", "amount": 5, "per": "day"}
    set_by_others = desk.send("POST", "/budgets", operator.token, day).json
    mine = desk.send("POST", "/budgets", who.token, day | {"amount": 3}).json
    assert (set_by_others["created_by"], mine["created_by"]) == (operator.id, who.id)
    mine = desk.send("PATCH", f"/budgets/{mine['id']}", who.token, {"amount": 4}).json
    path = f"/tokens/{who.public_id}"
    assert desk.send("GET", path, who.token).json["budgets"] == [set_by_others, mine]
    # What others have set on it stands, whatever he makes of it.
    for method, body in (("PATCH", {"amount": 9}), ("DELETE", None)):
        path = f"/budgets/{set_by_others['id']}"
        assert desk.send(method, path, who.token, body).code == "not_permitted"
    assert desk.send("DELETE", f"/budgets/{mine['id']}", who.token).status == 200
    # A budget of his own is nobody's token's: all that he does would count.
    of_himself = {"member": who.id, "unit": "tokens", "amount": 5, "per": "day"}
    assert desk.send("POST", "/budgets", who.token, of_himself).code == "not_permitted"


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


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"unit": "tokens", "amount": 1}, "per"),
        ({"unit": "rpm", "amount": 1, "per": "day"}, "per"),
        ({"unit": "tokens", "amount": 1, "per": "total", "rolling": True}, "rolling"),
        ({"unit": "requests", "amount": 1.5, "per": "day"}, "amount"),
        ({"unit": "tokens", "amount": 1, "per": "day", "zone": "Mars/Base"}, "zone"),
        ({"unit": "tokens", "amount": 1, "per": "day", "zone": "../etc/passwd"}, "zone"),
        ({"unit": "euros", "amount": 1}, "unit"),
        ({"unit": "rpm", "amount": 1, "model": "none"}, "model"),
        ({"unit": "rpm", "amount": 1, "member": "nobody"}, "member"),
        ({"unit": "rpm", "amount": 1, "group": 10**9}, "group"),
        ({"unit": "rpm", "amount": 1, "token": "zzzzzzzzzz"}, "token"),
    ],
)
def test_a_budget_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    reply = desk.send("POST", "/budgets", operator.token, body)
    assert reply.status in {400, 404}
    assert reply.json["error"]["param"] == param


def test_a_budget_of_two(desk: Desk, operator: Person) -> None:
    body = {"unit": "rpm", "amount": 1, "member": operator.id, "group": desk.group(unique()).id}
    assert desk.send("POST", "/budgets", operator.token, body).status == 400


def test_nobody_slows_a_member_down_by_ever_more_budgets(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    body = {"member": who.id, "unit": "rpm", "amount": 10}
    made = [desk.send("POST", "/budgets", operator.token, body) for _ in range(MOST_OF_ONE)]
    assert {reply.status for reply in made} == {200}
    assert desk.send("POST", "/budgets", operator.token, body).code == "conflict"
    desk.send("DELETE", f"/budgets/{made[0].json['id']}", operator.token)
    assert desk.send("POST", "/budgets", operator.token, body).status == 200


def test_lists_come_in_pages(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/members/{who.id}/tokens"
    made = [who.public_id]
    made += [desk.send("POST", path, who.token, {}).json["id"] for _ in range(4)]
    found, after = [], ""
    while True:
        listed = desk.send("GET", f"{path}?limit=2{after}", who.token).json
        assert listed["object"] == "list"
        found += [each["id"] for each in listed["data"]]
        assert listed["has_more"] is (listed["next"] is not None)
        if not listed["has_more"]:
            break
        after = f"&after={listed['next']}"
    assert found == made


def test_members_are_searched_by_name(desk: Desk, operator: Person) -> None:
    prefix = unique()
    names = [f"{prefix}-{letter}" for letter in "cab"]
    for name in names:
        desk.person(name)
    found, after = [], ""
    for _ in names:
        path = f"/members?name={prefix}-&limit=1{after}"
        listed = desk.send("GET", path, operator.token).json
        found += [each["name"] for each in listed["data"]]
        after = f"&after={listed['next']}"
    assert found == sorted(names)
    assert listed["next"] is None


def test_the_audit_log_is_filtered(desk: Desk, operator: Person) -> None:
    who = desk.person(unique(), operator=True)
    made = desk.send("POST", "/members", who.token, {"name": unique()}).json
    rows = desk.send("GET", f"/audit?actor={who.id}", operator.token).json["data"]
    assert [(row["action"], row["subject"]) for row in rows] == [("member.create", made["id"])]
    [row] = rows
    for query, there in (
        (f"action=member.create&subject={made['id']}", True),
        (f"action=member.delete&subject={made['id']}", False),
        (f"since={row['at']}&actor={who.id}", True),
        (f"since=2099-01-01&actor={who.id}", False),
        (f"until={row['at']}&actor={who.id}", False),
    ):
        assert (desk.send("GET", f"/audit?{query}", operator.token).json["data"] == rows) is there
    newest = desk.send("GET", "/audit?limit=2", operator.token).json
    older = desk.send("GET", f"/audit?limit=2&after={newest['next']}", operator.token).json
    ids = [row["id"] for row in (*newest["data"], *older["data"])]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4
