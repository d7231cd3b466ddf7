"""The index of known model files (data: weights.toml)."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

HUBS = ("modelscope", "huggingface")
"""The hubs: what is before the `:` of a name such as `modelscope:owner/repo/file.gguf`."""
MAGIC = b"GGUF"
SOURCE_NAMES = ("path", "url", "modelscope", "huggingface", "registry")
"""The sources in order: what costs nothing first, what was made for this next."""
SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class WeightsError(Exception):
    """A model file that cannot be had; the message says what to do."""


class UnknownWeight(WeightsError):
    """A name that the index does not hold."""


class NoSpaceError(WeightsError):
    """Too little free disk: no other source would help."""


class SourceError(WeightsError):
    """One source failed; the next one may not."""


class Parts(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A file cut into packages `name` of the package registry, `{n}` counting from 1."""

    name: str
    count: Annotated[int, Meta(ge=1)]
    version: str

    def package(self, number: int) -> str:
        return self.name.format(n=number)

    def member(self, number: int) -> str:
        """The path of the part's bytes inside its wheel."""
        return f"{self.package(number).replace('-', '_')}/data/part{number:02d}.bin"


class Weight(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One model file. `size` is in bytes; without `sha256` the file cannot be verified.

    `origin` is what the model is told of who trained it. `only` is the one hub that has the file,
    `path` where in the repository `hub` it is then.
    """

    name: str
    title: str
    licence: str
    file: FileName
    hub: str
    aliases: tuple[str, ...] = ()
    origin: str = ""
    size: Annotated[int, Meta(gt=0)] | None = None
    sha256: Sha256 | None = None
    parts: Parts | None = None
    only: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        # The author of the parts is unknown: without a hash nothing would vouch for them.
        if self.parts and not (self.size and self.sha256):
            raise ValueError(f"{self.name}: parts need a size and a sha256 beside them")


@cache
def load_index() -> dict[str, Weight]:
    """Every known weight by its name (aliases are not keys), in the file's order."""
    table = tomllib.loads(files(__package__).joinpath("weights.toml").read_text("utf-8"))
    weights = msgspec.convert(table["weight"], list[Weight])
    return {weight.name: weight for weight in weights}


def resolve(name: str) -> Weight:
    """The weight of a name or alias, or of a hub's file. Raises `UnknownWeight`."""
    if weight := hub_weight(name):
        return weight
    index = load_index()
    for weight in index.values():
        if name == weight.name or name in weight.aliases:
            return weight
    known = ", ".join(
        f"{weight.name} ({', '.join(weight.aliases)})" if weight.aliases else weight.name
        for weight in index.values()
    )
    raise UnknownWeight(
        f"no model file is called {name!r}; known: {known}, or the path of a GGUF file, or "
        "modelscope:owner/repo/file.gguf, or huggingface:owner/repo/file.gguf"
    )


def hub_weight(name: str, size: int | None = None, sha256: str | None = None) -> Weight | None:
    """The weight of `modelscope:owner/repo/file.gguf`; none where `name` is no such name."""
    hub, _, rest = name.partition(":")
    owner, _, rest = rest.partition("/")
    repo, _, path = rest.partition("/")
    if hub not in HUBS or not path.endswith(".gguf"):
        return None
    if not {"", ".", ".."}.isdisjoint([owner, repo, *path.split("/")]):
        return None  # it would lie elsewhere than in its repository's folder
    file = path.rpartition("/")[2]
    return Weight(
        name, file, "", file, f"{owner}/{repo}", size=size, sha256=sha256, only=hub, path=path
    )


def shards(name: str) -> list[str]:
    """The names of all files of a model that is cut into several; of any other, its own alone.

    llama.cpp opens the first, `…-00001-of-00003.gguf`, and finds the others beside it.
    """
    if cut := SHARD.fullmatch(name):
        return [f"{cut[1]}-{at:05}-of-{cut[3]}.gguf" for at in range(1, int(cut[3]) + 1)]
    return [name]


def local_file(name: str) -> Path | None:
    """The path that `name` is, if it is one and not a name of the index."""
    if ("/" in name or name.endswith(".gguf")) and hub_weight(name) is None:
        return Path(name).expanduser().absolute()
    return None
