"""The applied versions of the configuration: read, changed, and imported from files."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import msgspec

from xinghe.accounts.rules import check_note
from xinghe.catalog import Catalog, CatalogError, Tree, built, merged
from xinghe.configuration import tables
from xinghe.configuration.applying import Moved, Outcome, applying, drafted, whole
from xinghe.configuration.files import MODELS, Files, Found
from xinghe.configuration.importing import Base, Import, joined
from xinghe.configuration.merging import patched
from xinghe.configuration.redaction import restored
from xinghe.configuration.tables import Place, Source, Version
from xinghe.configuration.tree import (
    SAFETY,
    ConfigurationError,
    checked,
    models_of,
)
from xinghe.settings import Settings
from xinghe.storage import Connection, Database
from xinghe.weights import check_files, missing_files

TRIES = 20
"""Of a change that others are always quicker than."""

BUSY = "others change the configuration all the time: try again"

Make = Callable[[Version], Tree]


class Changed(ConfigurationError):
    """Another version is applied than whoever changes it has seen."""


class Configurations:
    """The versions in a database. A change is whole, and made of a version that nobody has
    replaced meanwhile.

    `author` is a member's appid, `cli:USER` or `file`. With a service `at_work` here, all that a
    version needs must be here as well: a start fetches model files, and a running service none.
    """

    def __init__(self, database: Database, settings: Settings, *, at_work: bool = False) -> None:
        self._database = database
        self.settings = settings
        self._at_work = at_work
        self._keep = settings.configuration.versions
        self.files = Files(settings.data_dir)
        self.place = _place(settings)

    def on(self, database: Database) -> Configurations:
        """The same, with another database's transactions."""
        return Configurations(database, self.settings, at_work=self._at_work)

    async def newest(self) -> int:
        """The number of the applied version; 0 where there is none."""
        return await self._database.read(tables.newest)

    async def current(self) -> Version:
        """The applied version, be it damaged."""
        return await self._database.read(whole(tables.version))

    async def before(self, number: int) -> Version:
        """The version before one, be it damaged; number 0 is before all."""
        return await self._database.read(whole(lambda c: tables.before(c, number)))

    async def version(self, number: int | None) -> Version:
        """One version, or the applied one. Raises `ConfigurationError`."""
        found = await self._database.read(whole(lambda c: tables.version(c, number)))
        if found.damage:
            raise ConfigurationError(found.damage)
        return found

    async def page(self, behind: int = 0, limit: int = 50) -> list[Version]:
        """Versions without their trees, the newest first, behind a number."""
        return await self._database.read(lambda c: tables.page(c, behind, limit))

    async def imported(self) -> Tree:
        """What the files of this directory held when they were imported last."""

        def read(connection: Connection) -> Tree:
            here = tables.place(connection, self.place)
            if here is None or here.file is None:
                return {}
            try:
                return tables.tree(connection, here.file)
            except tables.Damaged:
                return {}

        return await self._database.read(whole(read))

    async def places(self) -> list[Place]:
        """The data directories that have reported how they are."""
        return await self._database.read(tables.places)

    async def report(self, number: int, trouble: str) -> None:
        """Keep what this directory's service serves by, and why not by something else."""
        await self._database.write(lambda c: tables.report(c, self.place, number, trouble))

    def catalog(self, version: Version) -> Catalog:
        """What a version says of models. Raises `CatalogError`, which says how to mend it."""
        try:
            if version.damage:
                raise CatalogError(version.damage)
            return self.built(version.tree)
        except CatalogError as error:
            raise CatalogError(
                f"version {version.number} of the configuration cannot be served by: {error}; "
                "`xinghe config revert` and `xinghe config apply` put another in its place"
            ) from error

    def missing_files(self, catalog: Catalog) -> dict[str, str]:
        """By deployment, what is missing here of the files that it names."""
        return missing_files(catalog, self.settings, fetches=not self._at_work)

    def built(self, tree: Tree) -> Catalog:
        """Raises `CatalogError`."""
        later = self.settings.configuration.later_models
        return built(merged(models_of(tree), later=later), self.settings)

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
            if old.damage:
                raise ConfigurationError(
                    f"{old.damage}, so no part of it can be changed: `xinghe config revert` and "
                    "`xinghe config apply` put another in its place"
                )
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
        applied, base = await self._database.read(whole(self._begun(found)))
        if applied.damage:
            return Import(applied, troubles={**found.troubles, MODELS: applied.damage})
        return await asyncio.to_thread(
            joined, found, applied, base, lambda tree: self._check(tree, applied)
        )

    async def import_files(self, found: Found | None = None) -> Import:
        """Import what the files hold (`found`, else as they are now), where that has changed.

        Each file comes in whole or not at all; its `troubles` say why one does not. Raises
        `StorageError`, and `Changed` where others were always quicker.
        """
        for _ in range(TRIES):
            made = await self.examined(found)
            if made.file is None:
                return made
            draft = await asyncio.to_thread(drafted, made.version, made.tree)
            try:
                return await self._database.write(self._importing(made, made.file, draft))
            except Moved:
                continue
        raise Changed(BUSY)

    async def started(self) -> Version:
        """Import the files, and return what is applied then.

        Raises `CatalogError` where there is nothing applied, and the files cannot be used.
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
                return await self._database.write(applying(old, draft, self._keep))
            except Moved:
                continue
        raise Changed(BUSY)

    def _draft(self, make: Make, old: Version) -> Version:
        """Raises `ConfigurationError`, `CatalogError`."""
        tree = checked(make(old), old.tree)
        self._check(tree, old)
        return drafted(old, tree)

    def _check(self, tree: Tree, old: Version) -> None:
        """Whether a tree could be served in the place of a version, as far as can be known here.

        Raises `CatalogError`. What was missing before is no matter of the change.
        """
        catalog = self.built(tree)
        try:
            before = self.catalog(old)
        except CatalogError:
            before = None
        check_files(catalog, self.settings, before, fetches=not self._at_work)

    def _begun(self, found: Found) -> Callable[[Connection], tuple[Version, Base]]:
        """What an import begins with."""

        def read(connection: Connection) -> tuple[Version, Base]:
            applied = tables.version(connection)
            here = tables.place(connection, self.place)
            if here is not None and here.file is not None:
                with suppress(tables.Damaged):
                    return applied, Base(tables.tree(connection, here.file), here=True)
            held = found.over({})
            if tables.was_imported(connection, tables.digest(held)):
                return applied, Base(held)
            return applied, Base()

        return read

    def _importing(
        self, made: Import, file: Tree, draft: Version
    ) -> Callable[[Connection], Import]:
        """Raises `Moved`."""

        def write(connection: Connection) -> Import:
            stored = tables.imported(connection, self.place, file)
            version = msgspec.structs.replace(draft, author="file", note=self.place)
            outcome = applying(made.version, version, self._keep, stored)(connection)
            return msgspec.structs.replace(made, version=outcome.version)

        return write


def _place(settings: Settings) -> str:
    """What a data directory is called in its database: nothing, where the database is in it."""
    return f"{socket.gethostname()}:{settings.data_dir}" if settings.database.url else ""
