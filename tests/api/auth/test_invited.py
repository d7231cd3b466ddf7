"""Joining by invitation over HTTP: with a password, or as whom the provider has signed in."""

from __future__ import annotations

import pytest

from tests.api.auth.conftest import PASSWORD
from tests.api.auth.test_oidc import go
from tests.api.auth.visitor import Visitor
from tests.kit.expect import malformed, refused
from tests.kit.openid import OpenIDProvider
from tests.kit.server import Server


def test_who_is_invited_becomes_a_member(visitor: Visitor, code: str, service: Server) -> None:
    made = visitor.come_in("/join", invitation=code, name="ada", password=PASSWORD)
    assert made["member"]["name"] == "ada"
    assert visitor.get("/session").json["method"] == "invitation"
    Visitor(visitor.url).come_in("/password", name="ada", password=PASSWORD)
    log = service.log.read_text("utf-8")
    assert code not in log
    assert PASSWORD not in log


def test_a_member_joins_one_more_group(visitor: Visitor, code: str, member: str) -> None:
    visitor.come_in("/password", name=member, password=PASSWORD)
    assert visitor.post("/me/invitation", invitation=code).json == {"object": "done"}
    malformed(visitor.post("/me/invitation", invitation="xi-" + "A" * 32), "not valid")


def test_who_comes_by_the_provider_joins_by_invitation(
    visitor: Visitor, provider: OpenIDProvider, code: str
) -> None:
    go(visitor, provider, "alice")
    refused(
        visitor.post("/oidc/session"),
        401, "invalid_request_error", "invalid_iam_token", "join by an invitation",
    )  # fmt: skip
    go(visitor, provider, "alice")
    made = visitor.come_in("/oidc/session", invitation=code, name="alice of the provider")
    later = Visitor(visitor.url)
    go(later, provider, "alice")
    assert later.come_in("/oidc/session")["member"] == made["member"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "erin", "password": "password"}, "tried first"),
        ({"name": "erin", "password": "short"}, "8 to 256"),
        ({"name": "app-erin", "password": PASSWORD}, "app-"),
        ({"name": " erin", "password": PASSWORD}, "name"),
        ({"name": "default", "password": PASSWORD}, "already"),
        ({"name": "erin", "password": PASSWORD, "invitation": "xi-" + "A" * 32}, "not valid"),
        ({"name": "erin", "password": PASSWORD, "invitation": "no code"}, "not valid"),
    ],
)
def test_who_cannot_join(visitor: Visitor, code: str, fields: dict[str, str], says: str) -> None:
    malformed(visitor.post("/join", **{"invitation": code, **fields}), says)
