"""The statements on the tables of applied versions.

A version is a row of `configurations`; its tree is in `configuration_contents`, by its SHA-256, and
so is each list, of which the tree holds the digest alone.
"""

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from xinghe.catalog import Tree
from xinghe.configuration.tree import ConfigurationError, lists_of, models_of, with_lists
from xinghe.storage import Connection, now

Source = Literal["api", "command", "file"]

_COLUMNS = "id, at, author, source, note, changed, changes"


class Damaged(ConfigurationError):
    """What the database holds of a tree makes none."""


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a version has changed, as it may be shown; `UNSET`: there was, or is, nothing."""

    path: str
    before: Any = UNSET
    after: Any = UNSET


class Version(msgspec.Struct, frozen=True):
    """An applied version; `at` in microseconds UTC. Number 0, before all, is empty.

    `changed` fields differ from the version before; `changes` are the first of them. `damage` says
    why its tree cannot be read, which is empty then.
    """

    number: int
    at: int = 0
    author: str = ""
    source: Source = "file"
    note: str = ""
    changed: int = 0
    changes: list[Field] = []
    tree: Tree = {}
    damage: str = ""

    @property
    def name(self) -> str:
        """What people are told of it."""
        return f"version {self.number}" if self.number else "what is built in"

    @property
    def models(self) -> Tree:
        """What a `models.toml` may hold: what the catalog is built from."""
        return models_of(self.tree)

    @property
    def lists(self) -> dict[str, bytes]:
        """The operator's lists for moderation, by the names of their files."""
        return {name: text.encode() for name, text in lists_of(self.tree).items()}


class Place(msgspec.Struct, frozen=True):
    """A data directory: what was imported from it last, and how its service is.

    `version` is the one that it serves by; `trouble` why not by a newer one, or why not what its
    files hold; empty where all is well.
    """

    place: str
    file: bytes | None = None
    at: int = 0
    version: int = 0
    trouble: str = ""


def newest(connection: Connection) -> int:
    """The number of the applied version; 0: there is none."""
    return int(connection.value("SELECT coalesce(max(id), 0) FROM configurations"))


def oldest(connection: Connection) -> int:
    """The number of the first version that is kept; 0: there is none."""
    return int(connection.value("SELECT coalesce(min(id), 0) FROM configurations"))


def version(connection: Connection, number: int | None = None) -> Version:
    """One version, or the applied one; it may be damaged. Raises `ConfigurationError`."""
    asked = newest(connection) if number is None else number
    row = connection.row(f"SELECT {_COLUMNS}, content FROM configurations WHERE id = $1", asked)  # noqa: S608
    if row is not None:
        found = _version(row[:-1])
        try:
            return msgspec.structs.replace(found, tree=tree(connection, row[-1]))
        except Damaged as error:
            damage = f"version {found.number} cannot be read: {error}"
            return msgspec.structs.replace(found, damage=damage)
    if asked == 0:
        return Version(0)
    first, last = oldest(connection), newest(connection)
    known = f"{first} to {last}" if last else "none is applied yet"
    raise ConfigurationError(f"there is no version {asked}, allowed: {known}")


def before(connection: Connection, number: int) -> Version:
    """The version before one, be it number 0."""
    found = connection.value(
        "SELECT coalesce(max(id), 0) FROM configurations WHERE id < $1", number
    )
    return version(connection, int(found)) if found else Version(0)


def page(connection: Connection, behind: int, limit: int) -> list[Version]:
    """Versions without their trees, the newest first, behind a number (0: from the newest on)."""
    where = "WHERE id < $1" if behind else "WHERE id > $1"
    found = connection.rows(
        f"SELECT {_COLUMNS} FROM configurations {where} ORDER BY id DESC LIMIT $2",  # noqa: S608
        behind,
        limit,
    )
    return [_version(row) for row in found]


def add(connection: Connection, made: Version, file: bytes | None) -> None:
    """Have a version be the applied one; `file` is what `imported` has returned, if it comes of
    files.
    """
    connection.run(
        f"INSERT INTO configurations ({_COLUMNS}, content, file) "  # noqa: S608
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(made.number, made.at, made.author, made.source, made.note, made.changed),
        msgspec.json.encode(made.changes).decode(),
        put(connection, made.tree),
        file,
    )


def put(connection: Connection, given: Tree) -> bytes:
    """Keep a tree and its lists; returns its digest."""
    bodies = {name: text.encode() for name, text in lists_of(given).items()}
    digests = {name: _keep(connection, body) for name, body in bodies.items()}
    return _keep(connection, _body(given, digests))


def digest(given: Tree) -> bytes:
    """What `put` would return: two trees of one digest are the same, order included."""
    digests = {name: _sha256(text.encode()) for name, text in lists_of(given).items()}
    return _sha256(_body(given, digests))


def tree(connection: Connection, stored: bytes) -> Tree:
    """What was kept under a digest. Raises `Damaged`."""
    try:
        found = _TREE.decode(_kept(connection, stored))
        digests = _LISTS.decode(msgspec.json.encode(lists_of(found)))
        lists = {
            name: _kept(connection, bytes.fromhex(each)).decode() for name, each in digests.items()
        }
    except ValueError as error:  # a decoder's own is one
        raise Damaged(f"what the database holds of it is damaged ({error})") from None
    return with_lists(models_of(found), lists)


def lists_in(connection: Connection, stored: bytes) -> set[bytes]:
    """The digests of the lists that a kept tree names; of a damaged one, none."""
    try:
        found = _TREE.decode(_kept(connection, stored))
        digests = _LISTS.decode(msgspec.json.encode(lists_of(found)))
        return {bytes.fromhex(each) for each in digests.values()}
    except ValueError:
        return set()


def was_imported(connection: Connection, file: bytes) -> bool:
    """Whether files that held just this were imported before, from wherever."""
    query = (
        "SELECT 1 FROM configuration_places WHERE file = $1 "
        "UNION ALL SELECT 1 FROM configurations WHERE file = $1 LIMIT 1"
    )
    return connection.row(query, file) is not None


def place(connection: Connection, name: str) -> Place | None:
    row = connection.row(f"{_PLACES} WHERE place = $1", name)
    return None if row is None else Place(*row)


def places(connection: Connection) -> list[Place]:
    return [Place(*row) for row in connection.rows(f"{_PLACES} ORDER BY place")]


def imported(connection: Connection, name: str, file: Tree) -> bytes:
    """Keep what the files of a place held when they were imported; returns its digest."""
    stored = put(connection, file)
    if not connection.run(
        "UPDATE configuration_places SET file = $1 WHERE place = $2", stored, name
    ):
        _new_place(connection, Place(name, stored))
    return stored


def report(connection: Connection, name: str, number: int, trouble: str) -> None:
    """Keep how the service of a place is; of one where nothing was ever applied, nothing."""
    if not connection.run(
        "UPDATE configuration_places SET at = $1, version = $2, trouble = $3 WHERE place = $4",
        *(now(), number, trouble, name),
    ) and (number or trouble):
        _new_place(connection, Place(name, None, now(), number, trouble))


_FIELDS = msgspec.json.Decoder(list[Field])
_TREE = msgspec.json.Decoder(dict[str, dict[str, Any]])
_LISTS = msgspec.json.Decoder(dict[str, str])
_PLACES = "SELECT place, file, at, version, trouble FROM configuration_places"


def _new_place(connection: Connection, made: Place) -> None:
    connection.run(
        "INSERT INTO configuration_places (place, file, at, version, trouble) "
        "VALUES ($1, $2, $3, $4, $5)",
        *(made.place, made.file, made.at, made.version, made.trouble),
    )


def _version(row: tuple[Any, ...]) -> Version:
    number, at, author, source, note, changed, changes = row
    try:
        fields = _FIELDS.decode(changes)
    except msgspec.DecodeError:
        fields = []  # no more than what is shown of it
    return Version(number, at, author, source, note, changed, fields)


def _body(given: Tree, digests: dict[str, bytes]) -> bytes:
    lists = {name: each.hex() for name, each in digests.items()}
    return msgspec.json.encode(with_lists(models_of(given), lists))


def _keep(connection: Connection, body: bytes) -> bytes:
    found = _sha256(body)
    connection.run(
        "INSERT INTO configuration_contents (digest, body) VALUES ($1, $2) "
        "ON CONFLICT (digest) DO NOTHING",
        *(found, body),
    )
    return found


def _kept(connection: Connection, stored: bytes) -> bytes:
    """Raises `ValueError`."""
    row = connection.row("SELECT body FROM configuration_contents WHERE digest = $1", stored)
    if row is None:
        raise ValueError("a part of it is not there")
    return bytes(row[0])


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
