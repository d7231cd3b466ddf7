"""Whatever a provider answers: nobody comes in by it who was not signed in by it, for us, now."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.signin.hostile import CURVE, EDWARDS, OTHER, RSA, SMALL, Hostile, public
from xinghe.settings import OpenID
from xinghe.signin import oidc
from xinghe.signin.id_token import ALGORITHMS, Identity, Unproven, proven
from xinghe.signin.oidc import Provider, ProviderFailed, derived

BACK = "http://127.0.0.1:8000/auth/v1/oidc/callback"


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    async with Hostile().serving() as made:
        yield made


@pytest.fixture
async def provider(hostile: Hostile) -> AsyncIterator[Provider]:
    made = Provider(OpenID(issuer=hostile.issuer, client_id="xinghe"), BACK)
    yield made
    await made.aclose()


async def signed_in(provider: Provider, hostile: Hostile) -> Identity:
    return await provider.identity(hostile.secret, "a code")


@pytest.mark.parametrize(
    ("key", "alg"),
    [(RSA, "RS256"), (RSA, "PS384"), (CURVE, "ES256"), (EDWARDS, "EdDSA")],
)
async def test_an_honest_one_is_believed(
    provider: Provider, hostile: Hostile, key: Any, alg: str
) -> None:
    hostile.keys = {"keys": [public(key, alg), public(OTHER, "RS256", kid="two")]}
    hostile.sign = lambda claims: jwt.encode(claims, key, alg, {"kid": "one"})
    hostile.claims = {"preferred_username": "Alice"}
    assert await signed_in(provider, hostile) == Identity(hostile.issuer, "alice", "Alice")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 5},
        {"iss": "http://127.0.0.1"},
        {"aud": "another"},
        {"aud": ["xinghe", "another"]},
        {"aud": ["xinghe"], "azp": "another"},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": lambda: time.time() - 120},
        {"exp": "never"},
        {"exp": None},
        {"iat": lambda: time.time() + 600},
        {"iat": None},
        {"nbf": lambda: time.time() + 600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"sub": 5},
        {"sub": {"a": 1}},
    ],
)
async def test_a_token_that_is_not_of_this_sign_in(
    provider: Provider, hostile: Hostile, claims: dict[str, Any]
) -> None:
    # Times are told now: this file may have been read long ago.
    hostile.claims = {name: int(it()) if callable(it) else it for name, it in claims.items()}
    with pytest.raises(Unproven):
        await signed_in(provider, hostile)


async def test_clocks_may_differ_a_little(provider: Provider, hostile: Hostile) -> None:
    now = int(time.time())
    hostile.claims = {"iat": now + 30, "exp": now - 30}
    assert (await signed_in(provider, hostile)).subject == "alice"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def shared(claims: dict[str, Any], key: bytes) -> str:
    """Signed by HS256, which the library does with no key that looks like a public one."""
    said = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    signature = hmac.digest(key, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


SIGNED: dict[str, Callable[[dict[str, Any]], str]] = {
    "no signature": lambda claims: f"{part({'alg': 'none'})}.{part(claims)}.",
    "no signature, in capitals": lambda claims: f"{part({'alg': 'None'})}.{part(claims)}.",
    "signature taken off": lambda claims: (
        jwt.encode(claims, RSA, "RS256", {"kid": "one"}).rpartition(".")[0] + "."
    ),
    "another key under its name": lambda claims: jwt.encode(claims, OTHER, "RS256", {"kid": "one"}),
    "a key that is not shown": lambda claims: jwt.encode(claims, OTHER, "RS256", {"kid": "two"}),
    "its public key as a shared secret": lambda claims: shared(
        claims, json.dumps(public(RSA, "RS256")).encode()
    ),
    "the client's name as a shared secret": lambda claims: jwt.encode(
        claims, "xinghe" * 8, "HS256", {"kid": "one"}
    ),
    "a key in its own header": lambda claims: jwt.encode(
        claims, OTHER, "RS256", {"kid": "one", "jwk": public(OTHER, "RS256")}
    ),
    "another algorithm of the key": lambda claims: jwt.encode(claims, RSA, "RS512", {"kid": "one"}),
    "critical fields": lambda claims: jwt.encode(
        claims, RSA, "RS256", {"kid": "one", "crit": ["b64"], "b64": False}
    ),
    "no token": lambda _: "token",
    "nothing": lambda _: "",
    "deeply nested": lambda _: f"{base64.urlsafe_b64encode(b'[' * 40_000).decode()}.e30.AA",
    "a huge number": lambda claims: jwt.encode(
        claims | {"exp": 1e308}, RSA, "RS256", {"kid": "one"}
    ).replace(".", "..", 1),
}


@pytest.mark.parametrize("how", SIGNED)
async def test_a_token_that_the_provider_has_not_signed(
    provider: Provider, hostile: Hostile, how: str
) -> None:
    hostile.keys["keys"][0]["alg"] = "RS256"
    hostile.sign = SIGNED[how]
    with pytest.raises(Unproven):
        await signed_in(provider, hostile)


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [public(SMALL, "RS256")],
        [public(RSA, "RS256", use="enc")],
        [public(RSA, "RS256", alg="RS512")],
        [public(RSA, "RS256"), public(OTHER, "RS256")],
        [public(CURVE, "ES256")],
        [{"kty": "oct", "k": "eGluZ2hl", "kid": "one", "alg": "RS256"}],
        [{"kty": "RSA", "kid": "one"}],
        [{"kty": "RSA", "kid": "one", "n": "A" * 100_000, "e": "AQAB"}],
        [{"kty": "RSA", "kid": "one", "n": "_" * 2700, "e": "AQAB"}],
        [{"kty": "RSA", "kid": "one", "n": "-", "e": 5}],
        [{"kty": ["RSA"], "kid": {"one": 1}}],
    ],
)
async def test_keys_that_prove_nothing(
    provider: Provider, hostile: Hostile, keys: list[dict[str, Any]]
) -> None:
    hostile.keys = {"keys": keys}
    hostile.sign = lambda claims: jwt.encode(
        claims,
        SMALL if keys and keys[0].get("n") == public(SMALL, "RS256")["n"] else RSA,
        "RS256",
        {"kid": "one"},
    )
    with pytest.raises(Unproven):
        await signed_in(provider, hostile)


async def test_unknown_keys_are_not_asked_for_again_and_again(
    provider: Provider, hostile: Hostile
) -> None:
    hostile.sign = lambda claims: jwt.encode(claims, OTHER, "RS256", {"kid": "two"})
    for _ in range(5):
        with pytest.raises(Unproven):
            await signed_in(provider, hostile)
    assert hostile.asked.count("/keys") == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"keys": [{"kty": "RSA", "kid": str(number)} for number in range(100)]},
        {"keys": "none"},
        {"keys": [["kty"]]},
        {"keys": [{"kty": "RSA", "n": "A" * 200_000}]},
        [],
        "keys",
    ],
)
async def test_what_is_no_set_of_keys_is_told_to_the_operator(
    provider: Provider, hostile: Hostile, keys: Any
) -> None:
    hostile.keys = keys
    with pytest.raises(ProviderFailed):
        await signed_in(provider, hostile)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://accounts.example"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": 5},
        {"jwks_uri": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"authorization_endpoint": "//elsewhere.example"},
        {"authorization_endpoint": "https://e.example/\r\nSet-Cookie: a=b"},
        {"authorization_endpoint": "https://[e.example/"},
        {"padding": "x" * 200_000},
    ],
)
async def test_what_is_no_document_of_the_issuer(
    provider: Provider, hostile: Hostile, document: dict[str, Any]
) -> None:
    hostile.document = document
    with pytest.raises(ProviderFailed):
        await provider.address(hostile.secret)


async def test_an_issuer_of_https_may_name_no_other_kind_of_endpoint() -> None:
    assert oidc._is_endpoint("https://tokens.example/token", plain=False)
    assert not oidc._is_endpoint("http://tokens.example/token", plain=False)


async def test_an_authorization_endpoint_may_have_a_query(
    provider: Provider, hostile: Hostile
) -> None:
    hostile.document = {"authorization_endpoint": f"{hostile.issuer}/authorize?tenant=5"}
    asked = parse_qs(urlsplit(await provider.address(hostile.secret)).query)
    assert (asked["tenant"], asked["client_id"]) == (["5"], ["xinghe"])


async def dripping(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever."""
    answer = web.StreamResponse(headers={"content-type": "application/json"})
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
async def test_one_that_never_ends_is_given_up(
    provider: Provider, hostile: Hostile, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "DEADLINE", 0.3)
    hostile.answers[path] = dripping
    with pytest.raises(ProviderFailed, match="takes more than"):
        await signed_in(provider, hostile)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda: web.json_response({"error": "invalid_grant"}, status=400), Unproven),
        (lambda: web.json_response({"error": "server_error"}, status=503), ProviderFailed),
        (lambda: web.json_response({"access_token": "a"}), ProviderFailed),
        (lambda: web.json_response({"id_token": ["a"]}), ProviderFailed),
        (lambda: web.json_response({"id_token": "a" * 200_000}), ProviderFailed),
        (lambda: web.Response(text="<html>"), ProviderFailed),
        (lambda: web.HTTPFound("http://127.0.0.1:1/"), Unproven),
    ],
)
async def test_what_is_no_answer_to_a_code(
    provider: Provider, hostile: Hostile, answer: Callable[[], Any], fault: type[Exception]
) -> None:
    hostile.answers["/token"] = lambda _: answer()
    with pytest.raises(fault):
        await signed_in(provider, hostile)
    assert "/" not in hostile.asked, "no redirect is followed"


async def test_neither_code_nor_secrets_stand_in_a_message(
    provider: Provider, hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.claims = {"nonce": "another", "email": "alice@example.org"}
    with pytest.raises(Unproven) as refused:
        await signed_in(provider, hostile)
    said = str(refused.value) + "".join(capsys.readouterr())
    for secret in (hostile.secret, derived(hostile.secret, "verifier"), "a code", "alice"):
        assert secret not in said


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.hex()))
def test_any_text_as_a_token_is_refused(text: str) -> None:
    for token in (text, f"{text}.{text}.{text}", f"{part({'alg': 'RS256'})}.{text}.{text}"):
        with pytest.raises(Unproven):
            proven(token, [public(RSA, "RS256")], issuer="i", client_id="c", nonce="n")


@given(
    st.dictionaries(
        st.sampled_from(["kty", "n", "e", "x", "y", "crv", "use", "alg", "kid"]),
        st.sampled_from(["RSA", "EC", "OKP", "AQAB", "P-256", "Ed25519", "", "sig"])
        | st.none()
        | st.integers()
        | st.text(max_size=20),
    ),
    st.sampled_from(sorted(ALGORITHMS)),
)
def test_any_key_is_refused(key: dict[str, Any], alg: str) -> None:
    token = f"{part({'alg': alg})}.{part({})}.AAAA"
    with pytest.raises(Unproven):
        proven(token, [key], issuer="i", client_id="c", nonce="n")
