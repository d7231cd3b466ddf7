"""Groups, who is in them, and invitations."""

from __future__ import annotations

from tests.admin.desk import Desk, Person, unique


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
    name = f"一班/2026 {unique()}"
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


def test_an_invitation_that_is_sent_twice_is_one_and_its_code_told_once(
    desk: Desk, operator: Person
) -> None:
    path = f"/groups/{desk.group(unique()).id}/invitations"
    first, again = (
        desk.send("POST", path, operator.token, {}, idempotency_key="once") for _ in range(2)
    )
    assert again.json == {name: value for name, value in first.json.items() if name != "code"}
    assert len(desk.send("GET", path, operator.token).json["data"]) == 1
    assert desk.send("POST", path, operator.token, {}, idempotency_key="other").json["code"]


def test_who_holds_back_a_body_keeps_no_role_that_he_loses_meanwhile(desk: Desk) -> None:
    group, owner, other = desk.group(unique()), desk.person(unique()), desk.person(unique())
    for each in (owner, other):
        desk.join(group.id, each, "owner")
    path = f"/groups/{group.id}/members/{owner.id}"

    async def late() -> bytes:
        await desk.sending("PATCH", path, other.token, {"role": "member"})
        return b'{"role": "owner"}'

    assert desk.send("PATCH", path, owner.token, late()).code == "not_permitted"
