"""Who may call: tokens, scopes, the models that a token is bound to, the appid."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.kit.api import DOCUMENTED, HELLO, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT, TIGHT
from tests.kit.raw import Connection
from tests.kit.server import Server
from xinghe import storage
from xinghe.accounts import Tokens
from xinghe.accounts.audit import alone
from xinghe.storage import Database

UNCERTIFIED = (401, "invalid_request_error", "invalid_iam_token", "IAM Certification failed")


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "Bearer xh-0123456789-" + "A" * 43,
        "Bearer " + "x" * 5000,
        "Bearer 令牌".encode().decode("latin-1"),
    ],
)
def test_not_certified(api: Api, mount: str, header: str | None) -> None:
    headers = {"Content-Type": "application/json"}
    if header is not None:
        headers["Authorization"] = header
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "x"}]})
    with Connection(api.url) as connection:
        head = [f"POST {mount}/chat/completions HTTP/1.1", f"Host: {connection.authority}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        head += [f"Content-Length: {len(body)}", "", ""]
        connection.send("\r\n".join(head).encode("latin-1") + body.encode())
        refused(connection.reply(), *UNCERTIFIED)


def test_wrong_secret_of_a_known_token(api: Api) -> None:
    assert api.token is not None
    wrong = api.token[:-1] + ("a" if api.token[-1] != "a" else "b")
    refused(api.bearing(wrong).chat(model=CHAT), *UNCERTIFIED)


def test_revoked_token(server: Server, api: Api) -> None:
    token = server.token("--name", "revoked")
    answered(api.bearing(token).chat(model=CHAT))
    server.run("token", "revoke", token.split("-")[1])
    refused(api.bearing(token).chat(model=CHAT), *UNCERTIFIED)


def test_expired_token(server: Server, api: Api) -> None:
    # The command line takes no time in the past, and the next one that it takes is midnight.
    def lapse(connection: storage.Connection) -> None:
        query = "UPDATE tokens SET expires_at = ? WHERE public_id = ?"
        connection.run(query, time.time_ns() // 1000 - 1, token.split("-")[1])
        alone(connection)  # as whatever changes a token

    async def short_lived() -> str:
        async with await Database.open(server.data) as database:
            later = time.time_ns() // 1000 + 3_600_000_000
            return await Tokens(database).create("default", expires_at=later)

    async def expire() -> None:
        async with await Database.open(server.data) as database:
            await database.write(lapse)

    token = asyncio.run(short_lived())
    answered(api.bearing(token).chat(model=CHAT))
    asyncio.run(expire())
    refused(api.bearing(token).chat(model=CHAT), *UNCERTIFIED)


def test_scheme_is_read_in_any_case(api: Api) -> None:
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "x"}]}).encode()
    headers = {"Authorization": f"bearer {api.token}", "Content-Type": "application/json"}
    answered(api.send("POST", "/chat/completions", body, headers))


def test_token_without_the_scope(server: Server, api: Api) -> None:
    token = server.token("--scope", "account.read")
    reply = api.bearing(token).chat(model=CHAT)
    refused(reply, 401, "access_denied", "no_parameter_permission", "model.call")


def test_token_of_other_models(server: Server, api: Api) -> None:
    bound = api.bearing(server.token("--model", TIGHT))
    answered(bound.chat(model=TIGHT))
    refused(
        bound.chat(model=CHAT),
        401,
        "invalid_request_error",
        "invalid_model",
        "No permission to use the model",
    )


def test_appid_of_the_account(api: Api, books: Books) -> None:
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "x"}]}).encode()
    own = {**api.headers, "appid": books.shown()["appid"]}
    answered(api.send("POST", "/chat/completions", body, own))
    other = {**api.headers, "appid": "app-0000000000"}
    reply = api.send("POST", "/chat/completions", body, other)
    refused(reply, 401, "invalid_request_error", "invalid_appid", "No permission to use the appid")


def test_body_is_not_read_before_the_token(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    refused(api.send("POST", "/chat/completions", b"{", headers), *UNCERTIFIED)


def test_two_authorization_headers_are_refused(api: Api) -> None:
    """Which of them counts would be a guess, and proxies guess differently."""
    for second in ("Bearer wrong", f"Bearer {api.token}"):
        headers = {**api.headers, "authorization": second}
        refused(
            api.send("GET", "/models", headers=headers), 401, "invalid_request_error",
            "invalid_iam_token", "more than once",
        )  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        "Bearer {}\xa0",
        "Bearer \xa0{}",
        "Bearer {}\x85",
        "Bearer\t{}",
        "Bearer\xa0{}",
        "Bearer \t{}",
        "Bearer {} x",
        "Bearer {},",
        "Bearer {}\xa0 ",
        "Bearer{}",
        '"Bearer {}"',
        "{}",
    ],
)
def test_what_is_not_quite_a_token(api: Api, form: str) -> None:
    sent = {"Authorization": form.format(api.token), "Content-Type": "application/json"}
    with Connection(api.url) as connection:
        lines = ["GET /v1/models HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in sent.items())]
        connection.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        refused(connection.reply(), *UNCERTIFIED)


def test_blanks_around_the_header_are_none_of_the_token(api: Api) -> None:
    answered(
        api.send(
            "POST",
            "/chat/completions",
            json.dumps({"model": CHAT, "messages": HELLO}).encode(),
            {"Authorization": f"  Bearer  {api.token} \t "},
        )
    )
