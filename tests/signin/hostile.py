"""A provider that answers what a test wants, over a real socket; by itself it is an honest one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from xinghe.signin.oidc import derived, new_secret

RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, kind: str, **fields: Any) -> dict[str, Any]:
    """A key as a provider shows it."""
    shown = jwt.get_algorithm_by_name(kind).to_jwk(key.public_key(), as_dict=True)
    return {**shown, "use": "sig", "kid": "one", **fields}


class Hostile:
    """`answers` are those of paths; what a token claims, `claims` change."""

    def __init__(self) -> None:
        self.issuer = ""
        self.secret = new_secret()
        self.document: dict[str, Any] = {}
        self.keys: Any = {"keys": [public(RSA, "RS256")]}
        self.claims: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            claims, RSA, "RS256", {"kid": "one"}
        )
        self.answers: dict[str, Callable[[web.Request], Any]] = {}
        self.asked: list[str] = []

    def all_claims(self) -> dict[str, Any]:
        now = int(time.time())
        honest = {
            "iss": self.issuer,
            "sub": "alice",
            "aud": "xinghe",
            "iat": now,
            "exp": now + 300,
            "nonce": derived(self.secret, "nonce"),
        }
        return {name: value for name, value in (honest | self.claims).items() if value is not None}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(path)
        if path in self.answers:
            answer = self.answers[path](request)
            return await answer if not isinstance(answer, web.StreamResponse) else answer
        if path == "/.well-known/openid-configuration":
            honest = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            return web.json_response(honest | self.document)
        if path == "/keys":
            return web.json_response(self.keys)
        return web.json_response({"id_token": self.sign(self.all_claims()), "token_type": "Bearer"})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
