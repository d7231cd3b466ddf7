"""Sign-in at an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core, 3.1).

Nothing of a sign-in under way is kept here. The browser holds one random secret in a cookie;
state, nonce and PKCE's verifier are made of it by a hash each, of which none tells another. So an
answer of the provider counts in the browser alone that asked, at any process of the service, and
asking a million times takes no memory.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import structlog

from xinghe.outbound import CallFailed, Client, Refused, Unreadable, decoded, items, proxy_for
from xinghe.settings import OpenID
from xinghe.signin.id_token import Identity, UnknownKey, Unproven, proven

SILENCE = 5.0
"""Seconds for a connection, and for the provider to go on."""
DEADLINE = 10.0
"""Seconds for one answer of the provider's, whole."""
AT_ONCE = 8
"""Connections to it."""
MOST_BYTES = 128 * 1024
"""Of one answer."""
MOST_KEYS = 64
KEPT = 3600.0
"""Seconds after which the provider's document and keys are fetched anew."""
AGAIN = 30.0
"""Seconds between two fetches for a key that is not known: anybody can name one."""
REST = 2.0
"""Seconds for which one that failed is left alone."""
LONGEST_CODE = 2048

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.signin")


T = TypeVar("T")


class ProviderFailed(Exception):
    """The provider cannot be reached, or answers what is no OpenID; logged already."""


class Metadata(msgspec.Struct, frozen=True):
    """Its document (OpenID Connect Discovery, section 3), as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class KeySet(msgspec.Struct):
    keys: msgspec.Raw


class TokenAnswer(msgspec.Struct):
    id_token: str


class _Kept(Generic[T]):
    """Something that is fetched when it is first needed, by one for all, and again in time.

    Where that failed a moment ago, it has failed for those who waited meanwhile, too.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._found: T | None = None
        self._at = -KEPT
        self._failed: tuple[float, ProviderFailed] | None = None

    async def get(self, *, newer_than: float = KEPT) -> T:
        """What was found within so many seconds, else what is there now."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._at >= newer_than:
                if self._failed is not None and time.monotonic() - self._failed[0] < REST:
                    raise ProviderFailed(str(self._failed[1]))
                try:
                    self._found = await self._fetch()
                except ProviderFailed as error:
                    self._failed = (time.monotonic(), error)
                    raise
                self._at = time.monotonic()
            return self._found


class Provider:
    """The operator's provider; `redirect_uri` is where it sends browsers back to."""

    def __init__(self, settings: OpenID, redirect_uri: str) -> None:
        import jwt  # noqa: F401, PLC0415 - takes a while: now rather than in a request

        self._settings = settings
        self._redirect_uri = redirect_uri
        self._client = Client(SILENCE, SILENCE, proxy=proxy_for(settings.issuer), limit=AT_ONCE)
        self._metadata = _Kept(self._fetch_metadata)
        self._keys = _Kept(self._fetch_keys)

    async def address(self, secret: str) -> str:
        """Where the browser that holds a `new_secret` is sent. Raises `ProviderFailed`."""
        metadata = await self._metadata.get()
        challenge = hashlib.sha256(derived(secret, "verifier").encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": derived(secret, "state"),
            "nonce": derived(secret, "nonce"),
            "code_challenge": _base64(challenge),
            "code_challenge_method": "S256",
        }
        endpoint = metadata.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def identity(self, secret: str, code: str) -> Identity:
        """Whom the provider has signed in, who came back with this `code`, in this browser.

        Raises `Unproven`, `ProviderFailed`.
        """
        metadata = await self._metadata.get()
        token = await self._redeemed(metadata, secret, code)
        expected = {
            "issuer": self._settings.issuer,
            "client_id": self._settings.client_id,
            "nonce": derived(secret, "nonce"),
        }
        try:
            try:
                return proven(token, await self._keys.get(), **expected)
            except UnknownKey:  # it may have changed its keys since
                return proven(token, await self._keys.get(newer_than=AGAIN), **expected)
        except Unproven as error:
            log.warning("oidc_unproven", error=str(error))
            raise

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _redeemed(self, metadata: Metadata, secret: str, code: str) -> str:
        """The ID token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": derived(secret, "verifier"),
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        name, key = self._settings.client_id, self._settings.client_secret
        key = key or os.environ.get(self._settings.client_secret_env, "")
        if not key or self._settings.client_auth == "post":
            form |= {"client_id": name, **({"client_secret": key} if key else {})}
        else:  # RFC 6749, section 2.3.1
            pair = f"{quote(name, safe='')}:{quote(key, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            answer = await self._asked("POST", metadata.token_endpoint, TokenAnswer, form, headers)
        except Refused as refused:
            # Of a code that is wrong, late or used; a secret that is wrong reads alike to a client.
            log.warning("oidc_code_refused", status=refused.status)
            raise Unproven("the provider does not take the code") from None
        return answer.id_token

    async def _fetch_metadata(self) -> Metadata:
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._asked("GET", url, Metadata)
        plain = self._settings.issuer.startswith("http://")
        endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        if found.issuer != self._settings.issuer:
            raise _failed(f"its document is of another issuer ({found.issuer[:200]!r})")
        if not all(_is_endpoint(each, plain=plain) for each in endpoints):
            raise _failed("its document holds what is no https:// URL")
        return found

    async def _fetch_keys(self) -> list[dict[str, Any]]:
        metadata = await self._metadata.get()
        keys = await self._asked("GET", metadata.jwks_uri, KeySet)
        try:
            return items(keys.keys, dict[str, Any], MOST_KEYS)
        except Unreadable:
            raise _failed(f"its keys are none, or more than {MOST_KEYS}") from None

    async def _asked(
        self,
        method: str,
        url: str,
        kind: type[T],
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> T:
        """Raises `Refused` where a form was sent, and `ProviderFailed`."""
        body = None if form is None else urlencode(form).encode()
        sent = headers or {"Accept": "application/json"}
        try:
            async with asyncio.timeout(DEADLINE):
                return decoded(
                    await self._client.fetch(method, url, most=MOST_BYTES, headers=sent, body=body),
                    kind,
                )
        except TimeoutError:
            raise _failed(f"it takes more than {DEADLINE:g} s to answer") from None
        except CallFailed as error:
            if form is not None and isinstance(error, Refused) and error.status < 500:
                raise
            raise _failed(str(error)) from None


def new_secret() -> str:
    """What a browser holds while it is sent to the provider and back."""
    return secrets.token_urlsafe(32)


def derived(secret: str, purpose: str) -> str:
    """What stands for a secret in one place; 43 characters that a URL may hold."""
    return _base64(hmac.digest(secret.encode(), purpose.encode(), "sha256"))


def is_answer(secret: str, state: str) -> bool:
    """Whether an answer with this state is to the request that was made with the secret."""
    return hmac.compare_digest(derived(secret, "state").encode(), state.encode())


def _failed(why: str) -> ProviderFailed:
    log.error("oidc_provider_failed", error=why)
    return ProviderFailed(why)


def _is_endpoint(url: str, *, plain: bool) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" or (plain and parts.scheme == "http")
        return (
            usable
            and bool(parts.hostname)
            and not parts.fragment
            and url.isascii()
            and (url.isprintable() and " " not in url)
        )
    except ValueError:
        return False


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
