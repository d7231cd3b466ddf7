"""The configuration: the applied version, those before it, and changes of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from xinghe.admin.operation import Call
from xinghe.admin.shapes import Body, Listing, Number, Paging, Told, page, told
from xinghe.api.errors import ApiError, Errors
from xinghe.catalog import CatalogError
from xinghe.configuration import (
    SUBJECT,
    Changed,
    ConfigurationError,
    Configurations,
    Field,
    Outcome,
    Place,
    Source,
    Version,
    redacted,
    tables,
)
from xinghe.configuration.tree import SECTIONS
from xinghe.storage import Connection

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of a body that holds a tree: lists of a usual size with it."""
_NUMBER = re.compile("[1-9][0-9]{0,14}")


def _sections(*kinds: str) -> Meta:
    """What is told of a tree; the catalog judges the rest of it."""
    return Meta(
        description="The sections `defaults`, `limits`, `deployments`, `models` as in models.toml, "
        "and `safety.lists`: texts by the names of files.",
        extra={"allowed": "an object of sections"},
        extra_json_schema={
            "properties": {name: {"type": [*kinds]} for name in SECTIONS},
            "additionalProperties": False,
        },
    )


Tables = Annotated[dict[str, Any], _sections("object")]
Patch = Annotated[dict[str, Any], _sections("object", "null")]
Note = Annotated[
    str,
    Meta(max_length=200, description="Why.", extra={"allowed": "at most 200 characters"}),
]


class FieldChange(msgspec.Struct, kw_only=True):
    """What differs from the version before, in a field; left out: there was, or is, nothing."""

    field: str
    before: Any = UNSET
    after: Any = UNSET


class VersionSummary(msgspec.Struct, kw_only=True):
    """A version that is or was applied: `changed` fields differ, `changes` are the first of them.

    `author` is a member's id, `cli:` and a user of the machine, or `file`.
    """

    version: int
    object: Literal["config.version"] = "config.version"
    at: Told | None
    author: str
    source: Source
    note: str
    changed: int
    changes: list[FieldChange]


class ConfigVersion(VersionSummary, kw_only=True):
    """With its tree: marks stand for keys and passwords in it, and may be sent back."""

    tree: dict[str, Any]


class Gateway(msgspec.Struct, kw_only=True):
    """The service of a data directory, as it last told: the version that it serves by, and what
    it could not apply or import; `place` is `host:path`, empty for the database's own directory.
    """

    place: str
    at: Told | None
    version: int
    trouble: list[str]


class Config(ConfigVersion, kw_only=True):
    """The applied version. Number 0: none was applied yet, and what is built in serves."""

    gateways: list[Gateway]


class ConfigVersionList(Listing):
    data: list[VersionSummary]


class ConfigChanged(VersionSummary, kw_only=True):
    """What is applied now, or with `validate_only` what would be changed of it.

    With nothing changed, no version is made. `trouble`: why this gateway could not serve by it.
    """

    validate_only: bool = False
    trouble: str | None = None


class NewConfig(Body):
    """A whole tree; without `safety` in it, the lists stay as they are."""

    tree: Tables
    note: Note = ""
    validate_only: bool = False


class ConfigPatch(Body):
    """A JSON merge patch (RFC 7396): null takes out, a list is replaced whole."""

    patch: Patch
    note: Note = ""
    validate_only: bool = False


class Revert(Body):
    """The number of a version that is to be applied again, as a new one."""

    version: Number
    note: Note = ""
    validate_only: bool = False


Change = Callable[[Configurations, str], Awaitable[Outcome]]


async def get(call: Call[None]) -> Config:
    def read(connection: Connection) -> tuple[Version, list[Place]]:
        return tables.version(connection), tables.places(connection)

    version, places = await call.tagged(SUBJECT, read, revision=tables.newest)
    return Config(
        **_summary(version),
        tree=redacted(version.tree),
        gateways=[_gateway(each) for each in places],
    )


async def list_(call: Call[Paging]) -> ConfigVersionList:
    given = call.given
    found = await _configurations(call).page(given.behind, given.limit + 1)
    return page(
        ConfigVersionList,
        found,
        given.limit,
        lambda each: VersionSummary(**_summary(each)),
        "number",
    )


async def version(call: Call[None]) -> ConfigVersion:
    name = call.path["version"]
    try:
        if not _NUMBER.fullmatch(name):
            raise ConfigurationError(f"there is no version {name[:40]}")
        found = await _configurations(call).version(int(name))
    except ConfigurationError as error:
        raise ApiError(Errors.NO_SUCH_OBJECT, str(error)) from error
    return ConfigVersion(**_summary(found), tree=redacted(found.tree))


async def set_(call: Call[NewConfig]) -> ConfigChanged:
    given = call.given
    return await _change(
        call,
        "tree",
        lambda each, actor: each.apply(
            given.tree,
            actor,
            source="api",
            note=given.note,
            validate_only=given.validate_only,
        ),
    )


async def change(call: Call[ConfigPatch]) -> ConfigChanged:
    given = call.given
    return await _change(
        call,
        "patch",
        lambda each, actor: each.patch(
            given.patch,
            actor,
            source="api",
            note=given.note,
            validate_only=given.validate_only,
        ),
    )


async def revert(call: Call[Revert]) -> ConfigChanged:
    given = call.given
    try:
        await _configurations(call).version(given.version)
    except ConfigurationError as error:
        raise ApiError(Errors.NO_SUCH_OBJECT, str(error), param="version") from error
    return await _change(
        call,
        "version",
        lambda each, actor: each.revert(
            given.version,
            actor,
            source="api",
            note=given.note,
            validate_only=given.validate_only,
        ),
    )


async def _change(call: Call[Any], param: str, make: Change) -> ConfigChanged:
    """Applied here before it is answered. Raises `ApiError`."""
    trial: bool = call.given.validate_only
    keep = None if trial else _changed
    transaction = call.transaction(SUBJECT, keep, revision=tables.newest)
    try:
        outcome = await make(_configurations(call).on(transaction), call.actor)
        if trial:
            await transaction.write(_nothing)  # which heeds If-Match
            return msgspec.structs.replace(_changed(outcome), validate_only=True)
    except Changed as error:
        raise ApiError(Errors.CHANGED_MEANWHILE, str(error)) from error
    except (ConfigurationError, CatalogError) as error:
        raise ApiError(Errors.MALFORMED_JSON, str(error), param=param) from error
    trouble = await call.services.follower.reach(outcome.version.number)
    return msgspec.structs.replace(_changed(outcome), trouble=trouble or None)


def _nothing(_: Connection) -> None:
    pass


def _configurations(call: Call[Any]) -> Configurations:
    return call.services.follower.configurations


def _changed(outcome: Outcome) -> ConfigChanged:
    summary = _summary(outcome.version)
    summary |= {"changed": outcome.changed, "changes": _fields(outcome.changes)}
    return ConfigChanged(**summary)


def _summary(found: Version) -> dict[str, Any]:
    return {
        "version": found.number,
        "at": told(found.at) if found.number else None,
        "author": found.author,
        "source": found.source,
        "note": found.note,
        "changed": found.changed,
        "changes": _fields(found.changes),
    }


def _fields(found: list[Field]) -> list[FieldChange]:
    return [FieldChange(field=each.path, before=each.before, after=each.after) for each in found]


def _gateway(found: Place) -> Gateway:
    return Gateway(
        place=found.place,
        at=told(found.at) if found.at else None,
        version=found.version,
        trouble=found.trouble.splitlines(),
    )
