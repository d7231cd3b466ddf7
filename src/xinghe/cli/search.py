"""`xinghe search`: the local corpus of web search."""

import re
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import apsw
import click

from xinghe.cli.common import data_option, moment, run_in, show, shown_options
from xinghe.search.corpus import DOCUMENTATION, Corpus
from xinghe.search.extractor import Extractor
from xinghe.search.indexing import Report, index, index_documentation
from xinghe.search.local import LocalProvider
from xinghe.settings import Settings
from xinghe.storage import StorageError

T = TypeVar("T")

_NAME = re.compile(r"[\w][\w.-]{0,63}")


@click.group()
def search() -> None:
    """The local corpus: documents that answers may rest on (`search.provider = "local"`)."""


def _name(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None or (_NAME.fullmatch(value) and value != DOCUMENTATION):
        return value
    raise click.BadParameter(
        f"{value!r}: 1 to 64 letters, digits, `_`, `-` and `.`, the first no mark, "
        f"and not {DOCUMENTATION}",
        param=param,
    )


def _url(_: click.Context, param: click.Parameter, value: str) -> str:
    if not value or re.fullmatch(r"https?://[^\s/?#]+(/\S*)?", value):
        return value if not value or value.endswith(("/", "=")) else value + "/"
    raise click.BadParameter(f"{value!r}: an http:// or https:// URL", param=param)


@search.command("index")
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, readable=True, path_type=Path),
)
@click.option("--name", callback=_name, help="The collection (else the name of the first PATH).")
@click.option("--private", is_flag=True, help="Answers may use it, and never name it as a source.")
@click.option(
    "--url",
    default="",
    callback=_url,
    help="Where readers find the documents: a base URL for their paths (else this service).",
)
@shown_options
def index_paths(
    *,
    paths: tuple[Path, ...],
    name: str | None,
    private: bool,
    url: str,
    data: str | None,
    as_json: bool,
) -> None:
    """Make a collection of the Markdown, HTML, text and PDF files under PATH.

    Run again, it takes in what has changed and drops what is gone. What is left out is listed on
    standard error. The service may run meanwhile.
    """
    chosen = name or _own_name(paths[0])

    async def action(corpus: Corpus) -> Report:
        extractor = Extractor()
        try:
            return await index(corpus, extractor, chosen, paths, public=not private, url=url)
        finally:
            await extractor.aclose()

    report = _run(data, action, create=True)
    for each in report.skipped:
        click.echo(f"skipped {each.path}: {each.reason}", err=True)
    show(
        {
            "name": chosen,
            "added": report.added,
            "unchanged": report.unchanged,
            "dropped": report.dropped,
            "skipped": len(report.skipped),
        },
        as_json=as_json,
    )


@search.command("list")
@shown_options
def list_collections(data: str | None, as_json: bool) -> None:
    """List the collections."""

    async def action(corpus: Corpus) -> list[dict[str, Any]]:
        return [
            {
                "name": each.name,
                "public": "yes" if each.public else "no",
                "url": each.url or None,
                "documents": each.documents,
                "passages": each.passages,
                "indexed_at": moment(each.indexed_at),
            }
            for each in corpus.collections()
        ]

    show(_run(data, action), as_json=as_json)


@search.command("remove")
@click.argument("name")
@data_option
def remove(name: str, data: str | None) -> None:
    """Remove the collection NAME. The files themselves stay."""

    async def action(corpus: Corpus) -> bool:
        return corpus.remove(name)

    if not _run(data, action):
        raise click.ClickException(f"there is no collection {name!r}: see `xinghe search list`")


@search.command("query")
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 28), default=5, show_default=True)
@shown_options
def query(text: str, limit: int, data: str | None, as_json: bool) -> None:
    """Show what a search for TEXT finds by its words (the service also compares meanings)."""

    async def action(corpus: Corpus) -> list[dict[str, Any]]:
        extractor = Extractor()
        try:
            await index_documentation(corpus, extractor)
            found = await LocalProvider(corpus, "").search(text, limit)
        finally:
            await extractor.aclose()
        return [
            {
                "title": each.title,
                "public": "yes" if each.public else "no",
                "url": each.url,
                "snippet": each.snippet if as_json else each.snippet[:60],
            }
            for each in found
        ]

    show(_run(data, action, create=True), as_json=as_json)


def _own_name(path: Path) -> str:
    own = re.sub(r"[^\w.-]", "-", path.resolve().name).lstrip(".-")[:64]
    if not own or own == DOCUMENTATION:
        raise click.UsageError(f"{path} gives no usable name: use --name")
    return own


def _run(data: str | None, action: Callable[[Corpus], Awaitable[T]], *, create: bool = False) -> T:
    async def on_corpus(settings: Settings) -> T:
        try:
            with closing(Corpus.open(settings.data_dir, create=create)) as corpus:
                return await action(corpus)
        except apsw.Error as error:
            raise StorageError(f"the search corpus: {error}") from error

    return run_in(data, on_corpus)
