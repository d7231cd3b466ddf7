"""A school class, made by the API, and people who look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.kit.api import Api
from tests.kit.server import Server
from tests.kit.visitor import Visitor

SCOPES = ("model.call", "account.read", "admin")
PLACES = {"teacher": "manager", "head": "owner", "anna": "member", "bert": "member"}


class Class(msgspec.Struct):
    """A group with the path of its page; `people`, by the ends of their names, with their tokens
    and ids. `other` is one more group of its teacher.
    """

    id: int
    name: str
    path: str
    other: int
    people: Mapping[str, Visitor]
    tokens: Mapping[str, str]
    ids: Mapping[str, str]


class Desk:
    """What the operator does by the API."""

    def __init__(self, service: Server) -> None:
        scopes = [part for each in SCOPES for part in ("--scope", each)]
        self._url = service.url
        self.api = Api(service.url, service.token(*scopes), mount="/admin/v1")

    def send(self, path: str, **body: Any) -> Any:
        reply = self.api.post(path, body)
        assert reply.status == 200, reply.text
        return reply.json

    def member(self, name: str, group: int | None = None, role: str = "member") -> tuple[str, str]:
        """Somebody without Tokens of his own: his id, and a token of all scopes."""
        made = self.send("/members", name=name, tokens=0)["id"]
        if group is not None:
            self.send(f"/groups/{group}/members", member=made, role=role)
        token = self.send(f"/members/{made}/tokens", name="t", scopes=[*SCOPES])
        return made, token["secret"]

    def visitor(self, token: str) -> Visitor:
        visitor = Visitor(self._url)
        visitor.sign_in(token)
        return visitor

    def room(self, name: str) -> Class:
        """A class with 50,000 Tokens and one more that its teacher manages, and a stranger."""
        here, other, far = (
            self.send("/groups", name=f"{name}{end}", tokens=50_000)["id"]
            for end in ("", " b", " z")
        )
        ids, tokens = {}, {}
        for each, role in PLACES.items():
            ids[each], tokens[each] = self.member(f"{name} {each}", here, role)
        self.send(f"/groups/{other}/members", member=ids["teacher"], role="owner")
        ids["stranger"], tokens["stranger"] = self.member(f"{name} stranger", far, "owner")
        people = {each: self.visitor(token) for each, token in tokens.items()}
        return Class(here, name, f"/console/group/{here}", other, people, tokens, ids)
