"""What each path of `/auth/v1` does."""

from urllib.parse import parse_qsl

import msgspec

from xinghe.api.auth import schema
from xinghe.api.auth.cookie import Cookie
from xinghe.api.edge import bearer
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange, Headers
from xinghe.api.priced import REALM
from xinghe.signin import NotLetIn, NotOffered, Provider, Session, SignIn
from xinghe.signin.oidc import LONGEST_CODE, is_answer, new_secret

MOST_PARAMETERS = 20


class Call(msgspec.Struct):
    """A request on its way; `address` is the client's."""

    exchange: Exchange
    address: str


class Handlers(msgspec.Struct, frozen=True):
    """The handlers: each returns the answer, or has sent it. They raise what `SignIn` raises."""

    signin: SignIn
    cookie: Cookie

    async def ways(self, _: Call, __: None) -> schema.Ways:
        offered = self.signin.settings
        return schema.Ways(
            "sign_in",
            password=offered.passwords,
            token=offered.tokens,
            oidc=self.signin.provider is not None,
            open=offered.open,
        )

    async def password(self, call: Call, given: schema.PasswordGiven) -> schema.SessionAnswer:
        made = await self.signin.by_password(given.name, given.password, call.address)
        return schema.answered(made)

    async def token(self, call: Call, given: schema.TokenGiven) -> schema.SessionAnswer:
        return schema.answered(await self.signin.by_token(given.token, call.address))

    async def by_link(self, call: Call, given: schema.LinkGiven) -> schema.SessionAnswer:
        return schema.answered(await self.signin.by_link(given.code, call.address))

    async def join(self, call: Call, given: schema.Joining) -> schema.SessionAnswer:
        made = await self.signin.join(given.invitation, given.name, given.password, call.address)
        return schema.answered(made)

    async def show(self, call: Call, _: None) -> schema.SessionShown:
        return schema.shown(await self._session(call))

    async def sign_out(self, call: Call, _: schema.Nothing | None) -> schema.Done:
        await self.signin.sessions.end(await self._session(call))
        return schema.Done()

    async def change_password(
        self, call: Call, given: schema.PasswordChange
    ) -> schema.SessionAnswer:
        session = await self._session(call)
        made = await self.signin.change_password(session, given.current, given.new, call.address)
        return schema.answered(made)

    async def accept(self, call: Call, given: schema.InvitationGiven) -> schema.Done:
        session = await self._session(call)
        await self.signin.accept(session, given.invitation, call.address)
        return schema.Done()

    async def start(self, call: Call, _: None) -> None:
        """Send the browser to the provider."""
        secret = new_secret()
        address = await self._provider().address(secret)
        await _redirect(call.exchange, address, [self.cookie.set(secret)])

    async def callback(self, call: Call, _: None) -> None:
        """Take the provider's answer, and send the browser on to where it will be used."""
        settings = self.signin.settings.oidc
        self._provider()
        told = _parameters(call.exchange.scope["query_string"])
        held = self.cookie.read(call.exchange.header_values(b"cookie"))
        ours = held is not None and is_answer(held[0], told.get("state", ""))
        if held is None or not ours or told.get("iss", settings.issuer) != settings.issuer:
            raise ApiError(
                Errors.INVALID_TOKEN,
                f"{REALM}: this answers no sign-in of this browser, begin it again",
            )
        code = told.get("code", "")
        if 1 <= len(code) <= LONGEST_CODE and code.isascii() and code.isprintable():
            cookie, mark = self.cookie.set(held[0], code), "oidc"
        else:  # the provider signs nobody in: why is not ours to repeat
            cookie, mark = self.cookie.clear(), "refused"
        await _redirect(call.exchange, f"{settings.return_to}#signin={mark}", [cookie])

    async def provided(self, call: Call, given: schema.ProviderGiven) -> schema.SessionAnswer:
        secret, code = self._brought(call)
        made = await self.signin.by_provider(
            secret, code, call.address, invitation=given.invitation, name=given.name
        )
        return schema.answered(made)

    async def link(self, call: Call, _: schema.Nothing) -> schema.Done:
        session = await self._session(call)
        secret, code = self._brought(call)
        await self.signin.link(session, secret, code, call.address)
        return schema.Done()

    def _brought(self, call: Call) -> tuple[str, str]:
        """The browser's secret and the provider's code, which it brings this once."""
        self._provider()
        held = self.cookie.read(call.exchange.header_values(b"cookie"))
        call.exchange.extra_headers.append(self.cookie.clear())
        if held is None or not held[1]:
            raise NotLetIn
        return held

    def _provider(self) -> Provider:
        if self.signin.provider is None:
            raise NotOffered("sign-in at an OpenID provider")
        return self.signin.provider

    async def _session(self, call: Call) -> Session:
        session = await self.signin.sessions.find(bearer(call.exchange))
        if session is None:
            raise ApiError(Errors.INVALID_TOKEN, f"{REALM}: the session is unknown, or has ended")
        call.exchange.principal = session.principal
        return session


def _parameters(query: bytes) -> dict[str, str]:
    """Of a provider's answer. Raises `ApiError` (400)."""
    try:
        pairs = parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        pairs = []
    told = dict(pairs)
    if not told or len(told) != len(pairs):
        raise ApiError(Errors.MALFORMED_JSON, "this is no answer of an OpenID provider")
    return told


async def _redirect(exchange: Exchange, address: str, headers: Headers) -> None:
    plain = [(b"location", address.encode("latin-1")), (b"content-length", b"0")]
    await exchange.start(303, [*plain, (b"referrer-policy", b"no-referrer"), *headers])
    await exchange.send({"type": "http.response.body", "body": b""})
