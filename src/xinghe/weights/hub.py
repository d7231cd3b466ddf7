"""What a repository of a hub holds: its GGUF files, and which of them is meant.

ModelScope and Hugging Face list the files of a repository with their sizes and hashes. A model is
one file, or several that are cut from one; a repository often has it in several quantizations.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import aiohttp
import msgspec

from xinghe.settings import Settings
from xinghe.weights.http import CONNECT_TIMEOUT, READ_TIMEOUT, HttpFile
from xinghe.weights.index import SHARD, Weight, WeightsError, hub_weight, shards
from xinghe.weights.progress import human

USUAL = "Q4_K_M"
"""What llama.cpp's `-hf` and Ollama's `hf.co/` take where nothing is said."""
QUANTIZATION = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d\w*|TQ\d_\d|MXFP4\w*|BF16|F16|F32|FP16|FP32))(?=[-.]|$)",
    re.IGNORECASE,
)
BESIDE = re.compile(r"mmproj|imatrix", re.IGNORECASE)
"""What lies beside models and is none: projectors, the statistics of a quantization."""
TOKENS = {"modelscope": "MODELSCOPE_API_TOKEN", "huggingface": "HF_TOKEN"}
"""The variable that holds the token for repositories that are not public."""
MOST_PAGES, MOST_BYTES = 50, 16 * 1024 * 1024


class HubModel(msgspec.Struct, frozen=True):
    """A model of a repository: its `files`, of which llama.cpp opens the first."""

    files: tuple[Weight, ...]

    @property
    def name(self) -> str:
        """What `weights` of a deployment says for it."""
        return self.files[0].name

    @property
    def path(self) -> str:
        return self.files[0].path

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(each.size or 0 for each in self.files)

    @property
    def quantization(self) -> str:
        return quantization(self.path)


class _Lfs(msgspec.Struct):
    oid: str = ""
    size: int | None = None


class _HuggingFaceFile(msgspec.Struct):
    path: str
    type: str = "file"
    size: int | None = None
    lfs: _Lfs | None = None


class _ModelScopeFile(msgspec.Struct, rename="pascal"):
    path: str
    type: str = "blob"
    size: int | None = None
    sha256: str | None = None


class _ModelScopeFiles(msgspec.Struct, rename="pascal"):
    files: list[_ModelScopeFile] | None = None


class _ModelScopeAnswer(msgspec.Struct, rename="pascal"):
    data: _ModelScopeFiles | None = None
    success: bool = True


def hub_url(settings: Settings, hub: str, repo: str, path: str) -> str:
    """Where a file of a repository is fetched from."""
    base: str = getattr(settings.weights, hub).rstrip("/")
    if hub == "modelscope":
        return f"{base}/models/{repo}/resolve/master/{quote(path)}"
    return f"{base}/{repo}/resolve/main/{quote(path)}"


def hub_file(settings: Settings, weight: Weight) -> HttpFile:
    """A file that one hub alone has."""
    url = hub_url(settings, weight.only, weight.hub, weight.path)
    return HttpFile(weight.only, url, _authorization(weight.only))


def quantization(path: str) -> str:
    """`Q4_K_M` of `model-Q4_K_M-00001-of-00002.gguf`, in capitals; empty where it does not say."""
    name = path.rpartition("/")[2].removesuffix(".gguf")
    found = QUANTIZATION.findall(re.sub(r"-\d{5}-of-\d{5}$", "", name))
    return str(found[-1]).upper() if found else ""


async def models_of(settings: Settings, hub: str, repo: str) -> list[HubModel]:
    """The GGUF models of a repository, by their paths. Raises `WeightsError`."""
    if not getattr(settings.weights, hub):
        raise WeightsError(f"weights.{hub} is empty: {hub} is switched off")
    listed = _modelscope if hub == "modelscope" else _huggingface
    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT)
    base: str = getattr(settings.weights, hub).rstrip("/")
    try:
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=True, headers=_authorization(hub)
        ) as session:
            found = await listed(session, base, repo)
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise WeightsError(
            f"{hub} cannot be reached at {base}: {reason}; what helps: the network or a proxy "
            f"(HTTPS_PROXY), or a mirror (XINGHE_WEIGHTS__{hub.upper()}=https://...)"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{hub} at {base} does not answer as that hub does") from error
    weights = {
        path: weight
        for path, (size, sha256) in found.items()
        if (weight := hub_weight(f"{hub}:{repo}/{path}", size, sha256))
    }
    return [
        HubModel(tuple(weights[each] for each in shards(path)))
        for path in sorted(weights)
        if not BESIDE.search(path.rpartition("/")[2])
        and shards(path)[0] == path
        and all(each in weights for each in shards(path))
    ]


def choose(models: Sequence[HubModel], wanted: str = "") -> tuple[HubModel, str]:
    """The model that is meant by a file or a quantization, and why it is that one.

    Without `wanted`, as peers do: Q4_K_M, else the first. Raises `WeightsError`.
    """
    if not models:
        raise WeightsError("the repository holds no GGUF file, which alone can be served here")
    offered = ", ".join(_offer(each) for each in models)
    if wanted:
        named = [each for each in models if _is_named(each, wanted)]
        if named:
            return named[0], ""
        if (cut := SHARD.fullmatch(wanted)) and int(cut[2]) != 1:
            raise WeightsError(
                f"{wanted} is a part of a model; name its first: {shards(wanted)[0]}"
            )
        raise WeightsError(f"the repository holds no {wanted!r}, allowed: {offered}")
    if len(models) == 1:
        return models[0], ""
    usual = [each for each in models if each.quantization == USUAL]
    if usual:
        return usual[0], f"{USUAL}, as llama.cpp and Ollama choose; there are: {offered}"
    return models[0], f"the first, as llama.cpp chooses where there is no {USUAL}; all: {offered}"


def _is_named(model: HubModel, wanted: str) -> bool:
    wanted = wanted.lower()
    names = {model.path, model.path.rpartition("/")[2], model.quantization}
    return wanted in {name.lower() for name in names}


def _offer(model: HubModel) -> str:
    return f"{model.path} ({human(model.size)})" if model.size else model.path


Listing = dict[str, tuple[int | None, str | None]]
"""Size in bytes and SHA-256 by path."""


async def _huggingface(session: aiohttp.ClientSession, base: str, repo: str) -> Listing:
    found: Listing = {}
    url: str | None = f"{base}/api/models/{repo}/tree/main?recursive=true"
    for _ in range(MOST_PAGES):
        if url is None:
            break
        async with session.get(url) as response:
            data = await _answered(response, "huggingface", repo)
            url = str(response.links["next"]["url"]) if "next" in response.links else None
        for file in msgspec.json.decode(data, type=list[_HuggingFaceFile]):
            if file.type == "file":
                lfs = file.lfs or _Lfs()
                found[file.path] = (lfs.size or file.size, _hash(lfs.oid))
    return found


async def _modelscope(session: aiohttp.ClientSession, base: str, repo: str) -> Listing:
    url = f"{base}/api/v1/models/{repo}/repo/files?Revision=master&Recursive=True"
    async with session.get(url) as response:
        data = await _answered(response, "modelscope", repo)
    answer = msgspec.json.decode(data, type=_ModelScopeAnswer)
    if not answer.success or answer.data is None:
        raise _no_repository("modelscope", repo)
    files = answer.data.files or []
    return {file.path: (file.size, _hash(file.sha256)) for file in files if file.type != "tree"}


async def _answered(response: aiohttp.ClientResponse, hub: str, repo: str) -> bytes:
    if response.status in {401, 403, 404}:
        raise _no_repository(hub, repo)
    if response.status != 200:
        raise WeightsError(f"{hub} answered HTTP {response.status} for {repo}; try again later")
    data = await response.content.read(MOST_BYTES)
    while chunk := await response.content.read(MOST_BYTES):
        data += chunk
        if len(data) > MOST_BYTES:
            raise WeightsError(f"{hub} lists more files of {repo} than are looked at")
    return data


def _no_repository(hub: str, repo: str) -> WeightsError:
    return WeightsError(
        f"{hub} has no repository {repo}, or it is not public: then {TOKENS[hub]} is needed in the "
        "environment"
    )


def _authorization(hub: str) -> Mapping[str, str]:
    token = os.environ.get(TOKENS[hub], "").strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _hash(text: str | None) -> str | None:
    return text if text and re.fullmatch("[0-9a-f]{64}", text) else None
