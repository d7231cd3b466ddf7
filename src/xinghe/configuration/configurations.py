"""The applied versions of the configuration: read, changed, and imported from files."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

import msgspec

from xinghe.accounts import audit
from xinghe.accounts.rules import check_note
from xinghe.catalog import Catalog, CatalogError, Tree, built, merged
from xinghe.configuration import tables
from xinghe.configuration.diff import fields, logged
from xinghe.configuration.files import MODELS, Files, Found
from xinghe.configuration.importing import Base, Import, joined
from xinghe.configuration.merging import patched
from xinghe.configuration.redaction import restored
from xinghe.configuration.tables import Field, Place, Source, Version
from xinghe.configuration.tree import (
    SAFETY,
    ConfigurationError,
    changes,
    checked,
    models_of,
)
from xinghe.settings import Settings
from xinghe.storage import Connection, Database, now

SUBJECT = "config"
"""What the audit log calls it."""
TRIES = 20
"""Of a change that others are always quicker than."""

BUSY = "others change the configuration all the time: try again"

T = TypeVar("T")
Make = Callable[[Version], Tree]


class Changed(ConfigurationError):
    """Another version is applied than whoever changes it has seen."""


class Outcome(msgspec.Struct, frozen=True):
    """What is applied after a change, and which fields that has changed: how many, and the first.

    Where nothing was, no version was made. `validate_only` has it be what was applied before.
    """

    version: Version
    changed: int
    changes: list[Field]


class _Moved(Exception):
    """Another version was applied while this one was made."""


class Configurations:
    """The versions in a database. A change is whole, and made of a version that nobody has
    replaced meanwhile.

    `author` is a member's appid, `cli:USER` or `file`.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self.settings = settings
        self.files = Files(settings.data_dir)
        self.place = _place(settings)

    def on(self, database: Database) -> Configurations:
        """The same, with another database's transactions."""
        return Configurations(database, self.settings)

    async def newest(self) -> int:
        """The number of the applied version; 0 where there is none."""
        return await self._database.read(tables.newest)

    async def current(self) -> Version:
        """The applied version."""
        return await self.version(None)

    async def version(self, number: int | None) -> Version:
        """One version, or the applied one. Raises `ConfigurationError`."""
        return await self._database.read(_whole(lambda c: tables.version(c, number)))

    async def page(self, behind: int = 0, limit: int = 50) -> list[Version]:
        """Versions without their trees, the newest first, behind a number."""
        return await self._database.read(lambda c: tables.page(c, behind, limit))

    async def imported(self) -> Tree:
        """What the files of this directory held when they were imported last."""

        def read(connection: Connection) -> Tree:
            here = tables.place(connection, self.place)
            return {} if here is None or here.file is None else tables.tree(connection, here.file)

        return await self._database.read(_whole(read))

    async def places(self) -> list[Place]:
        """The data directories that have reported how they are."""
        return await self._database.read(tables.places)

    async def report(self, number: int, trouble: str) -> None:
        """Keep what this directory's service serves by, and why not by something else."""
        await self._database.write(lambda c: tables.report(c, self.place, number, trouble))

    def catalog(self, version: Version) -> Catalog:
        """What a version says of models. Raises `CatalogError`, which says how to mend it."""
        try:
            return self.built(version.tree)
        except CatalogError as error:
            raise CatalogError(
                f"version {version.number} of the configuration cannot be served by: {error}; "
                "`xinghe config revert` and `xinghe config apply` put another in its place"
            ) from error

    def built(self, tree: Tree) -> Catalog:
        """Raises `CatalogError`."""
        return built(merged(models_of(tree)), self.settings)

    async def apply(
        self,
        tree: Tree,
        author: str,
        *,
        source: Source,
        note: str = "",
        expected: int | None = None,
        validate_only: bool = False,
    ) -> Outcome:
        """Have a whole tree in the place of the applied one. Without `safety`, the lists stay.

        Marks of secrets stand for those of the applied version. `expected` is the number that it
        must have. Raises `ConfigurationError`, `CatalogError`.
        """

        def make(old: Version) -> Tree:
            given = checked(tree, old.tree)
            kept = {SAFETY: old.tree[SAFETY]} if SAFETY in old.tree else {}
            return restored(kept | given, old.tree)

        return await self._change(make, author, source, note, expected, validate_only)

    async def patch(
        self,
        patch: Tree,
        author: str,
        *,
        source: Source,
        note: str = "",
        expected: int | None = None,
        validate_only: bool = False,
    ) -> Outcome:
        """Change some fields: a JSON merge patch (RFC 7396). Otherwise as `apply`."""

        def make(old: Version) -> Tree:
            return restored(patched(old.tree, checked(patch, patch=True)), old.tree)

        return await self._change(make, author, source, note, expected, validate_only)

    async def revert(
        self,
        number: int,
        author: str,
        *,
        source: Source,
        note: str = "",
        expected: int | None = None,
        validate_only: bool = False,
    ) -> Outcome:
        """Apply an old version again, as a new one. Otherwise as `apply`."""
        found = await self.version(number)
        return await self._change(
            lambda _: found.tree,
            author,
            source,
            note or f"version {number} again",
            expected,
            validate_only,
        )

    async def examined(self, found: Found | None = None) -> Import:
        """What an import would come to (`found`, else what the files hold now)."""
        if found is None:
            found = await asyncio.to_thread(self.files.read)
        applied, base = await self._database.read(_whole(self._before(found)))
        return await asyncio.to_thread(joined, found, applied, base, self.built)

    async def import_files(self, found: Found | None = None) -> Import:
        """Import what the files hold (`found`, else as they are now), where that has changed.

        Each file comes in whole or not at all; its `troubles` say why one does not. Raises
        `StorageError`, and `Changed` where others were always quicker.
        """
        for _ in range(TRIES):
            made = await self.examined(found)
            if made.file is None:
                return made
            draft = await asyncio.to_thread(_after, made.version, made.tree)
            try:
                return await self._database.write(self._importing(made, made.file, draft))
            except _Moved:
                continue
        raise Changed(BUSY)

    async def started(self) -> Version:
        """Import the files, and return what is applied then.

        Raises `ConfigurationError` where there is nothing applied, and the files cannot be used.
        """
        made = await self.import_files()
        if made.version.number == 0 and MODELS in made.troubles:
            raise CatalogError(f"{self.settings.data_dir / MODELS}: {made.troubles[MODELS]}")
        return made.version

    async def _change(
        self,
        make: Make,
        author: str,
        source: Source,
        note: str,
        expected: int | None,
        validate_only: bool,
    ) -> Outcome:
        """Raises `ConfigurationError`, `CatalogError`, `AccountError` for the note."""
        check_note(note)
        for _ in range(TRIES):
            old = await self.current()
            if expected is not None and old.number != expected:
                raise Changed(
                    f"version {old.number} is applied, by {old.author or 'nobody'}, and not "
                    f"{expected}: look at it, then decide"
                )
            # In a thread: a long list and a large catalog take their time.
            draft = await asyncio.to_thread(self._draft, make, old)
            if validate_only:
                return Outcome(old, draft.changed, draft.changes)
            draft = msgspec.structs.replace(draft, author=author, source=source, note=note)
            try:
                return await self._database.write(_changing(old, draft))
            except _Moved:
                continue
        raise Changed(BUSY)

    def _draft(self, make: Make, old: Version) -> Version:
        """Raises `ConfigurationError`, `CatalogError`."""
        tree = checked(make(old), old.tree)
        self.built(tree)
        return _after(old, tree)

    def _before(self, found: Found) -> Callable[[Connection], tuple[Version, Base]]:
        """What an import begins with."""

        def read(connection: Connection) -> tuple[Version, Base]:
            applied = tables.version(connection)
            here = tables.place(connection, self.place)
            if here is not None and here.file is not None:
                return applied, Base(tables.tree(connection, here.file), here=True)
            held = found.over({})
            if tables.was_imported(connection, tables.digest(held)):
                return applied, Base(held)
            return applied, Base()

        return read

    def _importing(
        self, made: Import, file: Tree, draft: Version
    ) -> Callable[[Connection], Import]:
        """Raises `_Moved`."""

        def write(connection: Connection) -> Import:
            stored = tables.imported(connection, self.place, file)
            version = msgspec.structs.replace(draft, author="file", note=self.place)
            outcome = _changing(made.version, version, stored)(connection)
            return msgspec.structs.replace(made, version=outcome.version)

        return write


def _after(old: Version, tree: Tree) -> Version:
    """The version that has a tree in the place of the old one's."""
    found = list(changes(old.tree, tree))
    return Version(old.number + 1, changed=len(found), changes=fields(found), tree=tree)


def _changing(
    old: Version, draft: Version, file: bytes | None = None
) -> Callable[[Connection], Outcome]:
    """Has the draft be applied, if it changes anything. Raises `_Moved`."""

    def write(connection: Connection) -> Outcome:
        audit.alone(connection)
        if tables.newest(connection) != old.number:
            raise _Moved
        if not draft.changed:
            return Outcome(old, 0, [])
        made = msgspec.structs.replace(draft, at=now())
        tables.add(connection, made, file)
        before, after = logged(made.changes)
        detail = f"version {made.number}" + (f": {made.note}" if made.note else "")
        audit.record(
            connection, made.author, "config.apply", SUBJECT, detail, before=before, after=after
        )
        return Outcome(made, made.changed, made.changes)

    return write


def _whole(operation: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Reads of one moment."""

    def read(connection: Connection) -> T:
        with connection.snapshot():
            return operation(connection)

    return read


def _place(settings: Settings) -> str:
    """What a data directory is called in its database: nothing, where the database is in it."""
    return f"{socket.gethostname()}:{settings.data_dir}" if settings.database.url else ""
