"""What SOURCE may be, as an operator writes it: where the model behind a name comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from xinghe.outbound import origin_of
from xinghe.settings import nearest, suggestion
from xinghe.weights import UnknownWeight, load_index
from xinghe.weights import resolve as resolve_weight

ALLOWED = (
    "the path of a GGUF file, a name of `xinghe models list --weights`, "
    "modelscope:owner/repo[/file], huggingface:owner/repo[/file], ollama:name, "
    "http(s)://host/v1[#model]"
)
HUBS = {
    "modelscope": "modelscope", "ms": "modelscope", "huggingface": "huggingface",
    "hf": "huggingface",
}  # fmt: skip
PAGES = {
    "modelscope.cn": "modelscope", "www.modelscope.cn": "modelscope",
    "huggingface.co": "huggingface", "hf.co": "huggingface", "hf-mirror.com": "huggingface",
}  # fmt: skip
"""Hosts that show repositories: no model is served there."""
OPERATIONS = ("/chat/completions", "/completions", "/embeddings", "/images/generations", "/models")
"""What is often pasted behind the base URL."""
SECRET = re.compile(r"key|token|secret|password|signature", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OLLAMA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:[/:][A-Za-z0-9._-]+)*")
LONGEST = 200
"""Characters of a model's name at its server."""
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


class SourceError(Exception):
    """A source that nothing can be served from; the message says what is wrong and allowed."""


class File(msgspec.Struct, frozen=True):
    """A file or folder of this machine."""

    path: Path


class Known(msgspec.Struct, frozen=True):
    """A name of the index of weights."""

    name: str


class Repository(msgspec.Struct, frozen=True):
    """A repository of a hub; `wanted` is a file in it or a quantization, or empty."""

    hub: str
    name: str
    wanted: str = ""


class Ollama(msgspec.Struct, frozen=True):
    """A model of the Ollama that runs here."""

    name: str


class Endpoint(msgspec.Struct, frozen=True):
    """An OpenAI-compatible server; without `model`, it has to be found out.

    `others` are the base URLs of servers that do the same work.
    """

    url: str
    model: str = ""
    others: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return origin_of(self.url)


Source = File | Known | Repository | Ollama | Endpoint


def is_name(name: object) -> bool:
    """Whether a model's name can be shown on a terminal, and kept."""
    return isinstance(name, str) and 0 < len(name) <= LONGEST and name.isprintable()


def parse_all(texts: Sequence[str]) -> Source:
    """One source, or several servers that do the same work. Raises `SourceError`."""
    first, *others = map(parse, texts)
    if not others:
        return first
    servers = [each for each in (first, *others) if isinstance(each, Endpoint)]
    if len(servers) < len(texts):
        raise SourceError("several sources are servers of one model: http(s)://host/v1 each")
    models = list(dict.fromkeys(each.model for each in servers if each.model))
    if len(models) > 1:
        raise SourceError(
            f"several sources are servers of one model, and {models[0]!r} and {models[1]!r} are two"
        )
    urls = [each.url for each in servers]
    if len(set(urls)) < len(urls):
        raise SourceError("a server is named twice")
    return Endpoint(urls[0], "".join(models), tuple(urls[1:]))


def parse(text: str) -> Source:
    """Raises `SourceError`."""
    text = text.strip()
    if not text:
        raise SourceError(f"the source is empty, allowed: {ALLOWED}")
    match = SCHEME.fullmatch(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text)
    if scheme in {"http", "https"}:
        return _endpoint(text)
    if scheme in HUBS:
        return _repository(HUBS[scheme], rest)
    if scheme == "ollama":
        return _ollama(rest)
    if scheme == "file":
        return File(_path(unquote(rest.removeprefix("//"))))
    return _here(text, scheme)


def _here(text: str, scheme: str) -> Source:
    """What is named without saying where it is."""
    host, _, behind = text.partition("/")
    if host in PAGES and not Path(text).exists():
        return _repository(PAGES[host], behind)
    path = _path(text)
    if path.exists() or text.startswith(("/", "./", "../", "~")) or text.endswith(".gguf"):
        return File(path)
    if scheme:
        known = suggestion(scheme, ["modelscope", "huggingface", "ollama", "http", "https"])
        raise SourceError(f"{_short(text)}: {scheme!r} is no kind of source, {known}; {ALLOWED}")
    try:
        return Known(resolve_weight(text).name)
    except UnknownWeight:
        raise SourceError(
            f"{_short(text)} is no file here and no name of weights{_hint(text)}; "
            f"allowed: {ALLOWED}"
        ) from None


def _hint(text: str) -> str:
    if text.count("/") == 1:
        return f"; a repository of a hub is modelscope:{text} or huggingface:{text}"
    names = [name for each in load_index().values() for name in (each.name, *each.aliases)]
    near = nearest(text, names)
    return f"; did you mean `{near}`?" if near else ""


def _path(text: str) -> Path:
    if "\0" in text:
        raise SourceError("the path holds a zero byte")
    return Path(text).expanduser().absolute()


def _endpoint(text: str) -> Source:
    base, _, model = text.partition("#")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SourceError(f"the URL cannot be read: {error}") from None
    if not host or re.search(r"[\s\x00-\x1f\x7f]", base):
        raise SourceError("the URL names no host, allowed: http(s)://host/v1[#model]")
    if "@" in parts.netloc:
        raise SourceError(
            f"the URL of {host} holds a user or a password: all who look at this machine's "
            "processes would see it; --key-env NAME names a variable that holds the key"
        )
    if secret := [name for name, _ in parse_qsl(parts.query, True) if SECRET.search(name)]:
        raise SourceError(
            f"the URL of {host} holds {secret[0]!r}: all who look at this machine's processes "
            "would see it; --key-env NAME names a variable that holds the key"
        )
    if host in PAGES:
        repo = "/".join(parts.path.removeprefix("/models").strip("/").split("/")[:2])
        example = f"{PAGES[host]}:{repo}" if "/" in repo else f"{PAGES[host]}:owner/repo"
        raise SourceError(f"{host} shows repositories and serves no model: {example} names one")
    path = parts.path.rstrip("/")
    if path.endswith((".gguf", ".safetensors")):
        raise SourceError(
            f"the URL of {host} is that of a file: download it, and name its path; a server's is "
            "http(s)://host/v1[#model]"
        )
    for operation in OPERATIONS:
        path = path.removesuffix(operation)
    query = f"?{parts.query}" if parts.query else ""
    name = unquote(model).strip()
    if name and not is_name(name):
        raise SourceError(
            f"the model's name behind # has {len(name)} characters, allowed: 1 to {LONGEST} that "
            "can be printed"
        )
    return Endpoint(f"{parts.scheme.lower()}://{parts.netloc}{path}{query}", name)


def _repository(hub: str, rest: str) -> Source:
    rest, _, wanted = rest.partition(":")
    owner, _, more = rest.removeprefix("//").strip("/").partition("/")
    repo, _, file = more.partition("/")
    if not NAME.fullmatch(owner) or not NAME.fullmatch(repo) or (file and wanted):
        raise SourceError(
            f"{hub}:{_short(rest)} names no repository, allowed: {hub}:owner/repo, "
            f"{hub}:owner/repo/file.gguf, {hub}:owner/repo:Q4_K_M"
        )
    return Repository(hub, f"{owner}/{repo}", file or wanted)


def _ollama(name: str) -> Source:
    name = name.removeprefix("//").strip()
    if not OLLAMA.fullmatch(name) or not is_name(name):
        raise SourceError(
            f"ollama:{_short(name)} names no model, allowed: ollama:name or ollama:name:tag, as "
            "`ollama list` shows them"
        )
    return Ollama(name)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
