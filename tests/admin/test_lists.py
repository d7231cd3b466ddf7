"""Lists come in pages, and are searched and filtered."""

from __future__ import annotations

from tests.admin.desk import Desk, Person, unique


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
