"""The operators' API on a database of the test's own, called as ASGI; and people to call it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote

from starlette.types import Message

from tests.kit.catalogs import catalog_of
from xinghe.accounts import group_tables, tables
from xinghe.accounts.groups import join
from xinghe.accounts.members import create_member
from xinghe.accounts.rights import Role
from xinghe.accounts.tables import NewToken
from xinghe.accounts.tokens import create_token, new_secret
from xinghe.admin import Admin, AdminServices
from xinghe.api.body import BodyBudget
from xinghe.api.elsewhere import Readiness
from xinghe.configuration import Configurations, Follower, Version
from xinghe.dispatch import Live
from xinghe.idempotency import IdempotencyStore
from xinghe.limits import Limiter
from xinghe.safety import Moderator
from xinghe.settings import Settings
from xinghe.settings.backups import Backups as BackupSettings
from xinghe.signin import Passwords, Sessions
from xinghe.storage import Connection, Database
from xinghe.upkeep import Backups, Examination
from xinghe.upkeep.command import Ended

T = TypeVar("T")

LATER = "2099-12-31T12:00:00Z"
_numbers = itertools.count()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    json: Any

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass(frozen=True)
class Person:
    """A member with a token of scope `admin`."""

    id: str
    number: int
    token: str

    @property
    def public_id(self) -> str:
        return self.token.split("-")[1]


class Desk:
    """Sends requests one after the other, or together; its loop is its own."""

    def __init__(self, folder: Path, url: str, *, qps: float = 0, rpm: int = 0) -> None:
        self._runner = asyncio.Runner()
        self.folder = folder
        self.backups = folder / "backups"
        self.backups.mkdir(exist_ok=True)
        (self.backups / "old.backup").touch()
        settings = Settings(data=str(folder), backups=BackupSettings(str(self.backups)))
        self._settings = settings
        self.commands: list[tuple[str, ...]] = []
        """What was asked of the command line, which says nothing."""
        self._place = folder, url
        catalog = catalog_of(settings)
        limits = catalog.limits.__class__(qps=qps, rpm=rpm, tpm=0)
        self.catalog = catalog.__class__(
            catalog.models, catalog.deployments, catalog.embeddings, catalog.images, limits
        )
        self.passwords = Passwords()
        self.served = Version(0)
        """What the services were brought to serve by."""
        self._unable = ""
        self._databases: list[Database] = []
        self.admin = self.service()
        (self.database,) = self._databases

    def service(self) -> Admin:
        """One more service on the same database."""
        database = self.run(Database.open(*self._place))
        self._databases.append(database)
        configurations = Configurations(database, self._settings)
        live, moderator = Live(self.catalog, self._settings, _no_image), Moderator()
        services = AdminServices(
            Sessions(database, self._settings.signin),
            database,
            Limiter(),
            live,
            BodyBudget(2**23),
            IdempotencyStore(database, self._settings.idempotency, lambda: "desk"),
            self._settings.server,
            self.passwords,
            Follower(configurations, self),
            moderator,
            Readiness(live, moderator, database),
            Examination(self._settings, self.command),
            Backups(self._settings, database, self.command),
        )
        return Admin(services, elsewhere=_nowhere)

    async def apply(self, version: Version) -> None:
        """As a gateway does; it serves nothing but this API."""
        if self._unable:
            raise OSError(self._unable)
        self.served = version

    async def command(
        self, *arguments: str, within: float, environment: Mapping[str, str]
    ) -> Ended:
        """In the place of a process of its own, whose start takes a second."""
        self.commands.append(arguments)
        return await self._answer(*arguments, within=within, environment=environment)

    async def _answer(self, *_: str, within: float, environment: Mapping[str, str]) -> Ended:
        return Ended(0, '{"checks": []}', "")

    @contextmanager
    def unable(self, why: str) -> Iterator[None]:
        """Meanwhile, no version can be applied."""
        self._unable = why
        yield
        self._unable = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.passwords.close()
        for database in self._databases:
            self.run(database.close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def write(self, operation: Callable[[Connection], T]) -> T:
        return self.run(self.database.write(operation))

    def read(self, operation: Callable[[Connection], T]) -> T:
        return self.run(self.database.read(operation))

    def send(
        self, method: str, path: str, token: str | None, body: Any = None, **headers: Any
    ) -> Reply:
        return self.run(self.sending(method, path, token, body, **headers))

    async def sending(
        self,
        method: str,
        path: str,
        token: str | None,
        body: Any = None,
        *,
        by: Admin | None = None,
        **headers: Any,
    ) -> Reply:
        """`body` is bytes, maybe late, or becomes JSON; header names have underscores."""
        raw, _, query = path.partition("?")
        raw = quote(f"/admin/v1{raw}", safe="/%")
        data: bytes | Awaitable[bytes] = b""
        if body is not None:
            whole = isinstance(body, bytes | Awaitable)
            data = body if whole else json.dumps(body).encode()
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if token is not None:
            sent.append(("authorization", f"Bearer {token}"))
        scope = {
            "type": "http", "method": method, "path": unquote(raw), "raw_path": raw.encode(),
            "query_string": query.encode(), "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in sent],
        }  # fmt: skip
        told: list[Message] = []
        waiting = [data]

        async def receive() -> Message:
            if waiting:
                came = waiting.pop()
                came = came if isinstance(came, bytes) else await came
                return {"type": "http.request", "body": came, "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            told.append(message)

        await (by or self.admin)(scope, receive, send)
        answered = b"".join(each.get("body", b"") for each in told[1:])
        pairs = {name.decode().lower(): value.decode() for name, value in told[0]["headers"]}
        return Reply(told[0]["status"], pairs, json.loads(answered))

    def person(self, name: str, **what: Any) -> Person:
        return self.write(lambda c: person(c, name, **what))

    def group(self, name: str, parent: int | None = None) -> group_tables.Group:
        return self.write(lambda c: group_tables.insert_group(c, name, parent, None))

    def join(self, group: int, who: Person, role: Role = "member") -> None:
        self.write(lambda c: put(c, group, who, role))


def person(
    connection: Connection,
    name: str,
    *,
    operator: bool = False,
    amount: int = 0,
    scopes: tuple[str, ...] = ("admin",),
) -> Person:
    secret = new_secret()
    made = create_member(connection, "test", name, amount, operator=operator)
    create_token(connection, "test", made.id, secret, NewToken("token", [*scopes]))
    return Person(made.appid, made.id, secret)


def put(connection: Connection, group: int, who: Person, role: Role) -> None:
    """Into a group, whose wallet then pays for him."""
    found = group_tables.group(connection, group)
    join(connection, "test", found, tables.member(connection, who.id), role, "group")


def unique() -> str:
    """A name that no test has given."""
    return f"case {next(_numbers)}"


def audited(desk: Desk, operator: Person, subject: str) -> list[tuple[str, Any, Any]]:
    """The action of each row of a subject, with what was there before and after."""
    rows = desk.send("GET", f"/audit?subject={subject}", operator.token).json["data"]
    return [(row["action"], row["before"], row["after"]) for row in rows]


async def _no_image(url: str) -> bytes:
    raise AssertionError(f"{url} is an image's, and none is made")


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']!r} is no path of the operators' API")
