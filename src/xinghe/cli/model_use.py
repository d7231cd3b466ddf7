"""`xinghe models use` and `reset`: what is behind a model's name, tried before it is applied."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from xinghe.catalog import Kind
from xinghe.catalog.deployments import ENGINES
from xinghe.catalog.replicas import VARIABLE
from xinghe.cli import tried
from xinghe.cli.changing import changing
from xinghe.cli.common import actor, data_option, json_option, show
from xinghe.cli.service import follows, lacks, running
from xinghe.cli.tried import Tried
from xinghe.configuration import Configurations
from xinghe.configuration.redaction import redacted
from xinghe.settings import Settings
from xinghe.sources import (
    Desk,
    Key,
    Options,
    SourceError,
    Use,
    Using,
    assigned,
    known,
    parse_all,
)
from xinghe.sources.undoing import reset as reset_of
from xinghe.sources.values import SECRET
from xinghe.weights import terminal_progress

MOST_OF_NOTE = 200


@click.command()
@click.argument("name")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--key-env", metavar="NAME", help="The variable that holds the server's key.")
@click.option(
    "--ask-key",
    is_flag=True,
    help="Ask for the server's key: without echo on a terminal, else the first line of input.",
)
@click.option(
    "--set", "fields", multiple=True, metavar="FIELD=VALUE",
    help="A field of the deployment beside what is learnt, as slots=8; repeat for several.",
)  # fmt: skip
@click.option("--no-try", is_flag=True, help="Apply it without trying it.")
@click.option(
    "--try-timeout",
    type=click.FloatRange(1, 86400),
    metavar="SECONDS",
    help="How long the trial may take.  [default: 60; for an image 600]",
)
@click.option(
    "--new",
    type=click.Choice([kind.value for kind in Kind]),
    help="Make a model of this kind if there is none called NAME.",
)
@data_option
@json_option
def use(
    name: str,
    sources: Sequence[str],
    key_env: str | None,
    ask_key: bool,
    fields: Sequence[str],
    no_try: bool,
    try_timeout: float | None,
    new: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Have model NAME served by SOURCE: try it by one small request, then apply it.

    SOURCE is the path of a GGUF file, a name of `xinghe models list --weights`,
    modelscope:owner/repo[/file], huggingface:owner/repo[/file] (or :Q4_K_M for a quantization),
    ollama:name (where OLLAMA_HOST says), or http(s)://host/v1[#model]: an OpenAI-compatible server,
    of which several may do the same work.

    A running service takes the change within a second, without a restart; without one, the next
    start has it. What does not answer is not applied. `xinghe models reset NAME` takes it back.
    """
    if key_env is not None and not VARIABLE.fullmatch(key_env):
        raise click.UsageError("--key-env takes the name of a variable, and never the key itself")
    if key_env is not None and ask_key:
        raise click.UsageError("--key-env and --ask-key exclude each other")

    async def action(settings: Settings, configurations: Configurations) -> dict[str, Any]:
        parsed = parse_all(sources)
        key = Key(variable=key_env or "")
        if ask_key:
            key = Key(value=_asked_key("Key of the server", wanted=True))
            if not key.value:
                raise SourceError("the key is empty")
        options = Options(
            key=key,
            fields=_fields(fields),
            attempt=not no_try,
            limit=try_timeout,
            new=Kind(new) if new else None,
        )
        if key_env and not no_try:
            _require(settings, key_env)
        desk = Desk(
            settings=settings,
            built=configurations.built,
            say=lambda line: click.echo(line, err=True),
            choose=_chosen,
            ask_key=_asked_key,
            progress=terminal_progress(),
        )
        now, file = await configurations.current(), await configurations.imported()
        configurations.catalog(now)  # else no part of it can be changed
        found = await Using(desk, now.tree, file, name, parsed, options).use()
        return await _applied(settings, configurations, name, found)

    done = changing(data, action)
    if as_json:
        show(done, as_json=True)
    else:
        _tell(done)


@click.command()
@click.argument("name")
@data_option
def reset(name: str, data: str | None) -> None:
    """Take back what `use` and `set` made of model NAME.

    It is as models.toml says again, or as it comes with the program where the file does not name
    it. A model that neither knows is taken out.
    """

    async def action(settings: Settings, configurations: Configurations) -> str:
        now, file = await configurations.current(), await configurations.imported()
        patch, gone = reset_of(now.tree, file, configurations.catalog(now), name)
        outcome = await configurations.patch(
            patch, actor(), source="command", note=f"models reset {name}"
        )
        after = configurations.built(outcome.version.tree).models.get(name)
        left = f"is served by deployment {after.deployment} again" if after else "is taken out"
        number = outcome.version.number
        told = [f"{name} {left} (version {number})", *_told_gone(gone)]
        return "\n".join([*told, await follows(settings, configurations, number)])

    click.echo(changing(data, action))


async def _applied(
    settings: Settings, configurations: Configurations, model: str, found: Use
) -> dict[str, Any]:
    """Apply it; what is to be told of it."""
    trial = found.trial
    if trial is not None:
        click.echo(trial.text, err=True)
    note = f"models use {model}: {found.shown}"[:MOST_OF_NOTE]
    outcome = await configurations.patch(found.patch, actor(), source="command", note=note)
    if trial is not None:
        speed = Tried("", trial.first_ms, trial.tokens_per_second)
        tried.keep(settings.data_dir, found.deployment, found.spec, speed)
    return {
        "model": model,
        "deployment": found.deployment,
        "source": found.shown,
        "shared": found.shared,
        "gone": found.gone or None,
        "table": redacted(found.table, ("deployments", found.deployment)),
        "trial": trial,
        "version": outcome.version.number,
        "service": await follows(settings, configurations, outcome.version.number, model),
    }


def _tell(done: dict[str, Any]) -> None:
    shared = ", which others have too" if done["shared"] else ""
    click.echo(
        f"{done['model']} is served by {done['source']} now (deployment {done['deployment']}"
        f"{shared}; version {done['version']})"
    )
    for line in _told_gone(done["gone"]):
        click.echo(line)
    click.echo(done["service"])
    if variable := done["table"].get("key_env"):
        click.echo(f"the service reads its key from {variable}, which must be in its environment")


def _told_gone(deployment: str | None) -> list[str]:
    return [f"deployment {deployment}, which no model has now, is taken out"] if deployment else []


def _require(settings: Settings, variable: str) -> None:
    """Raises `SourceError` where a running service could not read its key there."""
    where = running(settings)
    if where is not None and lacks(settings, where, variable):
        raise SourceError(
            f"the service at {where.url} has no variable {variable} in its environment, so it "
            "would be refused: start it again with the variable, or have the key asked for and "
            "kept (--ask-key); --no-try applies it nevertheless"
        )


def _fields(texts: Sequence[str]) -> dict[str, Any]:
    """Of whichever engine: it is known once the source has been looked at."""
    found: dict[str, Any] = {}
    fields = {name for each in ENGINES.values() for name in each.__struct_fields__}
    for text in texts:
        name = text.partition("=")[0].strip()
        if name in SECRET:
            raise SourceError(
                f"--set: `{name}` would be seen by all who look at this machine's processes; "
                "--key-env NAME names a variable that holds the key"
            )
        known(name, fields, "--set")
        for engine in ENGINES.values():
            if name in engine.__struct_fields__:
                found |= assigned([text], engine, "--set")
                break
    return found


def _chosen(names: Sequence[str]) -> str:
    """One of several models of a server, asked for on a terminal."""
    if not sys.stdin.isatty():
        return ""
    for at, name in enumerate(names, 1):
        click.echo(f"{at:>3}  {name}", err=True)
    return names[click.prompt("Which model", type=click.IntRange(1, len(names)), err=True) - 1]


def _asked_key(what: str, *, wanted: bool = False) -> str:
    if sys.stdin.isatty():
        text: str = click.prompt(what, hide_input=True, err=True, default="", show_default=False)
        return text.strip()
    return sys.stdin.readline().strip() if wanted else ""
