"""A session does what its member may do; a cookie is none here."""

from __future__ import annotations

import pytest

from tests.admin.desk import Desk, Person
from xinghe.admin.edge import Admin
from xinghe.signin import Sessions
from xinghe.signin.sessions import Owner
from xinghe.storage import Connection


def session(desk: Desk, who: Person, *, operator: bool) -> str:
    sessions = desk.admin.services.principals
    assert isinstance(sessions, Sessions)

    def make(connection: Connection) -> str:
        owner = Owner(who.number, who.id, "", operator)
        return sessions.make(connection, owner, "password").secret

    return desk.write(make)


@pytest.mark.parametrize(("operator", "status"), [(True, 200), (False, 403)])
def test_a_session_has_the_rights_of_its_member(desk: Desk, operator: bool, status: int) -> None:
    who = desk.person(f"signed in {operator}", operator=operator, scopes=("model.call",))
    assert desk.send("GET", "/members", who.token).code == "no_parameter_permission"
    secret = session(desk, who, operator=operator)
    assert desk.send("GET", "/members", secret).status == status
    assert desk.send("GET", f"/members/{who.id}", secret).json["id"] == who.id
    assert desk.send("PATCH", f"/members/{who.id}", secret, {"name": f"new {operator}"}).json
    [row] = desk.send(
        "GET",
        f"/audit?action=member.rename&actor={who.id}",
        desk.person(f"op {operator}", operator=True).token,
    ).json["data"]
    assert row["subject"] == who.id


def test_a_cookie_is_no_identity(desk: Desk, operator: Person) -> None:
    """Else a page of another origin could have a browser send it."""
    secret = session(desk, operator, operator=True)
    assert isinstance(desk.admin, Admin)
    for name in ("xinghe_session", "session", "__Host-session", "__Host-xinghe"):
        reply = desk.send("GET", "/members", None, cookie=f"{name}={secret}")
        assert (reply.status, reply.code) == (401, "invalid_iam_token")
