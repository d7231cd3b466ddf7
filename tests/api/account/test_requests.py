"""The requests that failed, over HTTP: page by page, to whom they belong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.account.test_details import DENIED, INVALID, MOUNTS, read, within
from tests.kit.api import Api
from tests.kit.expect import refused
from tests.kit.models import ABLE, CHAT
from tests.kit.server import Server

PATH = "/account/requests"


@pytest.fixture(scope="module")
def people(server: Server) -> Mapping[str, Api]:
    """A class whose teacher and two pupils had requests refused: of the pupils one and two."""
    server.run("group", "create", "lab", "--tokens", "5000")
    roles = {"chief": "manager", "ann": "member", "ben": "member"}
    for name, role in roles.items():
        server.run("member", "create", name, "--tokens", "0")
        server.run("group", "add", "lab", name, "--role", role)
    found = {name: Api(server.url, server.token(account=name)) for name in roles}
    found["operator"] = Api(server.url, server.token("--scope", "account.read", "--scope", "admin"))
    for name, model in (("ann", CHAT), ("ben", CHAT), ("ben", ABLE)):
        refused(found[name].chat(model=model, temperature=9), 400, INVALID, "malformed_json")
    within(10, lambda: len(listed(found["chief"], "?group=lab")) == 3 or None)
    return found


def listed(client: Api, question: str = "") -> list[Any]:
    page = read(client.get(PATH + question))
    assert page["object"] == "list"
    return list(page["data"])


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_newest_first_with_what_each_was(people: Mapping[str, Api], mount: str) -> None:
    newest, oldest = listed(people["ben"].at(mount), "?zone=Asia/Shanghai")
    assert (newest["model"], oldest["model"]) == (ABLE, CHAT)
    assert newest["at"] > oldest["at"]
    assert newest["at"].endswith("+08:00")
    assert (newest["outcome"], newest["status"], newest["operation"]) == (
        "malformed_json", 400, "chat",
    )  # fmt: skip
    assert (newest["member_name"], newest["group"]) == ("ben", "lab")
    assert newest["total_ms"] >= 0
    one = read(people["ben"].get(f"{PATH}/{newest['id']}?zone=Asia/Shanghai"))
    assert newest == {name: one[name] for name in newest}


def test_pages_follow_each_other(people: Mapping[str, Api]) -> None:
    whole = listed(people["chief"], "?group=lab")
    found, after = [], ""
    while True:
        page = read(people["chief"].get(f"{PATH}?group=lab&limit=1{after}"))
        found += page["data"]
        assert page["has_more"] == (page["next"] is not None)
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert found == whole


def test_csv_and_json_lines_have_all_of_it(people: Mapping[str, Api]) -> None:
    whole = listed(people["ben"])
    reply = people["ben"].get(f"{PATH}?format=csv")
    assert 'filename="xinghe-requests.csv"' in reply.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert [row["id"] for row in rows] == [each["id"] for each in whole]
    assert rows[0].keys() == whole[0].keys()
    lines = people["ben"].get(f"{PATH}?format=jsonl").body.splitlines()
    assert [json.loads(line) for line in lines] == whole


def test_filters(people: Mapping[str, Api]) -> None:
    chief = people["chief"]
    (only,) = listed(chief, f"?group=lab&model={ABLE}")
    assert only["member_name"] == "ben"
    assert [each["member_name"] for each in listed(chief, "?group=lab&member=ann")] == ["ann"]
    assert len(listed(chief, f"?group=lab&token={only['token']}")) == 2
    assert listed(chief, "?group=lab&to=2020-01-01") == []
    assert len(listed(chief, "?group=lab&from=2020-01-01")) == 3


def test_who_sees_what(people: Mapping[str, Api]) -> None:
    assert [each["member_name"] for each in listed(people["ann"])] == ["ann"]
    assert listed(people["chief"]) == []
    assert listed(people["operator"], "?member=ann") == listed(people["ann"])
    assert len(listed(people["operator"], "?group=lab")) == 3
    for question in ("?group=lab", "?member=ben"):
        refused(people["ann"].get(PATH + question), 401, *DENIED)
    token = listed(people["ben"])[0]["token"]
    refused(people["ann"].get(f"{PATH}?token={token}"), 400, INVALID, "malformed_json")


@pytest.mark.parametrize(
    ("question", "param", "says"),
    [
        ("limit=0", "limit", 'limit is "0", allowed: an integer in [1, 1000]'),
        ("after=kgAA", "after", "allowed: the `next` of the page before"),
        ("kind=usage", "kind", '"kind" is no parameter here'),
        ("from=2026-11-02&to=2026-11-01", "to", "from is before to"),
    ],
)
def test_what_is_wrong_is_named(
    people: Mapping[str, Api], question: str, param: str, says: str
) -> None:
    reply = people["ann"].get(f"{PATH}?{question}")
    refused(reply, 400, INVALID, "malformed_json", says, param=param)


def test_only_a_token_that_may_read(server: Server) -> None:
    caller = Api(server.url, server.token("--scope", "model.call"))
    refused(caller.get(PATH), 401, *DENIED)
    refused(caller.bearing(None).get(PATH), 401, INVALID, "invalid_iam_token")
    refused(caller.post(PATH, {}), 405, INVALID, "method_not_supported")
