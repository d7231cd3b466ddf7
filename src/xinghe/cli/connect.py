"""`xinghe connect`: the settings that a program needs to use this installation."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from xinghe.accounts import DEFAULT_MEMBER, Members, Tokens
from xinghe.accounts.principal import TOKEN
from xinghe.catalog import BUILT_IN, Catalog, CatalogError, Kind, effective
from xinghe.cli.common import MEMBER, actor, called, data_option, json_option, run_in, show
from xinghe.cli.language import is_chinese
from xinghe.cli.model_list import applied
from xinghe.cli.service import running
from xinghe.clients import (
    CLIENTS,
    PLACEHOLDER,
    Client,
    Filled,
    Values,
    filled,
    find,
    notes,
)
from xinghe.configuration import ConfigurationError
from xinghe.settings import Settings, SettingsError, is_base_url
from xinghe.sources.undoing import unknown
from xinghe.storage import Database
from xinghe.weights import WeightsError

_MOUNT = re.compile(r"(?:/llm/lmapi/v3(?:/v1)?|/v1|/v2)?/*$")
"""What may stand behind the host in a base URL of ours."""

KEPT = {
    True: "保管好令牌：它不会再显示。",
    False: "keep the token safe: it is not shown again",
}
PUT = {
    True: "{place} 处填你的访问令牌：--token 接一个，`{again}` 生成一个。",
    False: "put an access token of yours where {place} stands: --token takes one, and `{again}` "
    "makes one",
}
"""By whether it is said in Chinese."""


class Url(click.ParamType[str]):
    """The address of the service; without the mount, whether it was given with one or not."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        url = str(value)
        if not is_base_url(url):
            self.fail(f"{url!r}, allowed: an address such as https://llm.example.edu", param, ctx)
        return _MOUNT.sub("", url, count=1)


class Token(click.ParamType[str]):
    """An access token, or `-` for one that is read; never repeated in an error."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        token = sys.stdin.readline().strip() if value == "-" else str(value)
        if not TOKEN.fullmatch(token):
            self.fail("that is no access token of Xinghe, which look as xh-…-…", param, ctx)
        return token


@click.command()
@click.argument("name", required=False)
@click.option("--url", type=Url(), help="Where the program reaches the service.")
@click.option("--token", type=Token(), help="An access token to put in; - reads it.")
@click.option("--new-token", is_flag=True, help="Make an access token and put it in.")
@click.option(
    "--member",
    type=MEMBER,
    metavar="NAME",
    help=f"Whose token is made.  [default: {DEFAULT_MEMBER}]",
)
@click.option("--model", metavar="M", help="The model that the settings name.")
@click.option("--language", type=click.Choice(["zh", "en"]), help="As LANG says, if not given.")
@data_option
@json_option
def connect(
    *,
    name: str | None,
    url: str | None,
    token: str | None,
    new_token: bool,
    member: str | None,
    model: str | None,
    language: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Print the settings with which program NAME uses this service; without NAME, list them.

    They are ready to be pasted: with the address of this service, and with an access token where
    one is made or given. A token that was made is shown this once. For example:

    xinghe connect codex --new-token --url https://llm.example.edu
    """
    if token and new_token:
        raise click.UsageError("--token and --new-token exclude each other")
    if member is not None and not new_token:
        raise click.UsageError("--member says whose token is made: it needs --new-token")
    chinese = is_chinese() if language is None else language == "zh"
    if name is None:
        if token or new_token or model:
            raise click.UsageError("NAME is missing: `xinghe connect` lists them")
        show([_row(each, chinese=chinese) for each in CLIENTS], as_json=as_json)
        return
    client = find(name)
    if client is None:
        known = ", ".join(each.id for each in CLIENTS)
        raise click.ClickException(
            f"there is no program {name!r}, known: {known}; any other that speaks OpenAI takes "
            "the base URL that ends with /v1"
        )

    async def values(settings: Settings) -> Values:
        catalog, _ = await applied(settings)
        chosen = _model(catalog, model or "", client.model)
        where = running(settings)
        public = settings.server.public_url
        here = where.url if where and where.url and not public else settings.server.base_url
        made = await _made(settings, client, member or DEFAULT_MEMBER) if new_token else ""
        return Values(url or here, made or token or PLACEHOLDER, *chosen)

    try:
        put = run_in(data, values, quiet=True)
    except (SettingsError, CatalogError, ConfigurationError, WeightsError) as error:
        raise click.ClickException(str(error)) from error
    parts, said = filled(client, put, chinese=chinese), notes(client, put, chinese=chinese)
    if as_json:
        show(_told(client, put, parts, said), as_json=True)
    else:
        click.echo("\n".join(_lines(client, put, parts, said, chinese=chinese)))
    if not token:
        click.echo(_of_token(client, made=new_token, chinese=chinese), err=True)


def _of_token(client: Client, *, made: bool, chinese: bool) -> str:
    """What is said of the token beside the settings."""
    again = f"{called()} connect {client.id} --new-token"
    return KEPT[chinese] if made else PUT[chinese].format(place=PLACEHOLDER, again=again)


def _model(catalog: Catalog, asked: str, usual: str) -> tuple[str, int, int, bool]:
    """What the settings name, its limits in tokens, and whether it is the built-in one."""
    chats = [name for name, card in catalog.models.items() if card.kind is Kind.CHAT]
    name = asked or (usual if usual in chats else next(iter(chats), usual))
    card = catalog.models.get(catalog.aliases.get(name, name))
    if card is None:
        raise click.ClickException(unknown(name, catalog))
    if card.kind is not Kind.CHAT:
        raise click.ClickException(f"{name} answers no questions: it makes {card.kind.value}s")
    limits = effective(card, catalog.deployments[card.deployment])
    return name, limits.context, limits.max_output, card.deployment == BUILT_IN


async def _made(settings: Settings, client: Client, member: str) -> str:
    """The secret of a new token."""
    is_default = member == DEFAULT_MEMBER
    async with await Database.open(
        settings.data_dir, settings.database.url, create=is_default
    ) as database:
        if is_default and await Members(database, actor=actor()).ensure_default():
            click.echo(f"made the member {DEFAULT_MEMBER!r}", err=True)
        return await Tokens(database, actor=actor()).create(member, name=client.name)


def _row(client: Client, *, chinese: bool) -> dict[str, Any]:
    return {
        "name": client.id,
        "program": client.name,
        "asks": client.mount or "/",
        "needs": client.least,
        "tried": client.tried or ("未试" if chinese else "not tried"),
    }


def _told(
    client: Client, values: Values, parts: Sequence[Filled], said: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": client.id,
        "program": client.name,
        "base_url": values.url + client.mount,
        "model": values.model,
        "needs": client.least,
        "tried": client.tried or None,
        "notes": said,
        "parts": [
            {"form": each.form, "file": each.place or None, "text": each.text}
            if each.form != "fields"
            else {"form": each.form, "fields": dict(each.fields)}
            for each in parts
        ],
    }


def _lines(
    client: Client, values: Values, parts: Sequence[Filled], said: Sequence[str], *, chinese: bool
) -> list[str]:
    """Comments, and below them what is pasted."""
    tried = f"tried with {client.tried}" if client.tried else "not tried"
    needs = f"{client.least} or newer"
    if chinese:
        tried = f"用 {client.tried} 试过" if client.tried else "未试"
        needs = f"{client.least} 或更新"
    lines = [f"# {client.name} {needs} ({tried})", *(f"# {each}" for each in said)]
    for part in parts:
        lines += ["", *([f"# {part.place}"] if part.place else [])]
        lines += part.pasted.splitlines()
    return lines
