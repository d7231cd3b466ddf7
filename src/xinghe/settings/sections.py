"""The one typed tree of settings, a section after the other."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.settings.backups import Backups
from xinghe.settings.bill import Bill
from xinghe.settings.console import Console
from xinghe.settings.images import Images
from xinghe.settings.payment import Payment
from xinghe.settings.signin import SignIn
from xinghe.settings.urls import http_url, is_base_url, is_web_url, require_reachable
from xinghe.settings.valkey import Valkey

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0.05, le=86400)]
Positive = Annotated[int, Meta(ge=1)]


class Server(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where and how HTTP is served."""

    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: str = ""
    """Where clients reach the service, such as `https://llm.example.edu`; empty: as they asked."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed."""
    metrics_host: str = "127.0.0.1"
    metrics_port: Port | None = None
    """Where `/metrics` is served; not given: the port after `port`, or any if that is taken."""
    max_body_bytes: Positive = 64 * 1024 * 1024
    max_body_values: Positive = 100_000
    """Of one request, counted by the marks `,` `:` `{` `[` outside of its strings."""
    max_bodies_bytes: Positive = 512 * 1024 * 1024
    """Of all requests at work together, with the pictures that were fetched for them."""
    head_timeout: Seconds = 10.0
    """How long the line and the headers of a request may take."""
    body_timeout: Seconds = 30.0
    stall_timeout: Seconds = 60.0
    """A reader that takes nothing for this long is cut off."""
    grace: Seconds = 30.0
    """How long running answers may go on after the service was told to stop."""
    shutdown_delay: Annotated[float, Meta(ge=0, le=600)] = 0.0
    """How long it takes connections after it was told to stop, while `/readyz` says so already."""
    keepalive_comment: Seconds = 10.0
    """An SSE comment goes out when the engine has been silent for this long."""

    def __post_init__(self) -> None:
        if self.public_url and not is_base_url(self.public_url):
            raise ValueError(
                "`public_url` is wrong, allowed: an address such as https://llm.example.edu"
            )
        for entry in self.trusted_proxies:
            try:
                ipaddress.ip_network(entry)
            except ValueError:
                raise ValueError(
                    f"`trusted_proxies` holds {entry!r}, allowed: an address, or a network such "
                    "as 10.1.0.0/16"
                ) from None

    @property
    def base_url(self) -> str:
        """Where the service is reached as far as it knows by itself; without a slash at the end."""
        return (self.public_url or http_url(self.host, self.port)).rstrip("/")


class Embedded(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The embedded engine."""

    model: str = "default"
    """A name from `xinghe models list --weights`, or the path of a GGUF file."""
    threads: Annotated[int, Meta(ge=0)] = 0
    """Compute threads; 0: as many as there are cores, fewer while others use them."""
    slots: Annotated[int, Meta(ge=1, le=64)] = 4
    context: Annotated[int, Meta(ge=1024)] = 32768
    """Tokens of context, shared by all slots."""
    longest_wait: Annotated[float, Meta(gt=0)] = 300.0
    """Seconds that a request may wait for its turn; one that would wait longer is refused."""
    note: bool = True
    """Whether the model of the deployment `embedded` is told what it is and what serves it."""
    repack: bool = False
    """Rearrange the weights at each start: the default ones then answer a sixth faster, start
    2.5 s later and take 0.6 GB more."""


class Weights(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where model files are kept and looked for."""

    cache: str = ""
    """Empty: `$XDG_CACHE_HOME/xinghe/weights`, shared by all installations of a user."""
    path: str = ""
    """A folder that is looked into before anything is fetched."""
    url: str = ""
    """A base URL of the operator's own mirror: `<url>/<file name>`."""
    modelscope: str = "https://modelscope.cn"
    huggingface: str = "https://huggingface.co"


Flag = Annotated[int, Meta(ge=0, le=4)]


class SafetyFlags(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How severe each category of the lexicon is (section 4.1.3, `flag`); 0 switches it off."""

    violence: Flag = 4
    minors: Flag = 4
    weapons: Flag = 3
    drugs: Flag = 3
    self_harm: Flag = 3
    sexual: Flag = 3
    fraud: Flag = 3
    forgery: Flag = 3
    personal_data: Flag = 3
    hacking: Flag = 3
    gambling: Flag = 2
    hate: Flag = 2


class SafetyUpstream(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A moderation model that is asked after the lexicon and the lists found nothing."""

    url: str = ""
    """The base URL of an OpenAI-compatible server; empty: none is asked."""
    model: str = ""
    kind: Literal["moderations", "chat"] = "moderations"
    """`moderations` asks `<url>/moderations`; `chat` asks a chat model for a verdict."""
    key_env: str = ""
    """The variable that holds its key."""
    headers: dict[str, str] = {}
    """Header fields that every request to it has besides; `$NAME` is the variable of that name."""
    timeout: Seconds = 5.0
    on_error: Literal["allow", "refuse"] = "allow"
    """Whether a text passes that could not be checked."""
    answers: bool = True
    """Whether answers are checked too, sentence by sentence."""
    flag: Annotated[int, Meta(ge=1, le=4)] = 3
    """How severe a finding is whose category is not in `flags`, and an unchecked text."""
    flags: dict[str, Flag] = {}
    """How severe each of the model's categories is; 0 ignores it."""

    def __post_init__(self) -> None:
        if self.url:
            require_reachable(self.url, self.headers)
        if self.url and self.kind == "chat" and not self.model:
            raise ValueError('`kind` is "chat", which needs a `model`')


class Safety(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Moderation; the operator's own lists in `<data>/safety` always hold."""

    lexicon: bool = True
    """Whether the built-in lexicon holds too."""
    flags: SafetyFlags = SafetyFlags()
    upstream: SafetyUpstream = SafetyUpstream()


class Fetching(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Pictures and web pages that are fetched because a request asks for them."""

    ports: tuple[Annotated[int, Meta(ge=1, le=65535)], ...] = (80, 443)
    """Ports of public hosts that may be connected to."""
    allow: tuple[str, ...] = ()
    """Hosts and networks that are fetched from though they are not public: `host`, `host:port`,
    `10.1.0.0/16`, `10.1.0.0/16:8080`; without a port, those of `ports`."""
    hosts: dict[str, str] = {}
    """Like a hosts file: name to `address` or `address:port`; looked up first, always allowed."""
    ca_file: str = ""
    """Certificates (PEM) that are trusted beside the system's own."""


class Idempotency(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Answers that are kept for an Idempotency-Key."""

    keep: Seconds = 86400.0
    """How long."""
    max_bytes: Positive = 256 * 1024 * 1024
    """Of all of them; the oldest go first. One of more than an eighth of it is not kept."""


class Responses(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What clients ask to store with `store: true`, at `/v1/responses`."""

    keep: bool = False
    """Whether anything is kept; turned off, what was kept is deleted."""
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """How long."""
    max_bytes: Positive = 1024 * 1024 * 1024
    """Of all of them; the oldest go first. One of more than an eighth of it is not kept."""


class Configuration(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The versions of models, prices, limits and safety lists."""

    later_models: bool = False
    """Whether there are also the names that came after the document (`later_models.toml`)."""
    versions: Annotated[int, Meta(ge=10, le=1_000_000)] = 1000
    """How many are kept; the oldest go first, with the next change."""


class Search(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Web search."""

    provider: Literal["local", "searxng", "baidu"] = "local"
    """The local corpus, an instance of SearXNG, or Baidu's keyed search."""
    url: str = ""
    """SearXNG's own URL; for Baidu another address of its API."""
    key: str = ""
    key_env: str = ""
    """Baidu's API key, or the variable that holds it."""
    deadline: Seconds = 8.0
    """For results and their pages together; what is late is answered without."""
    private: tuple[str, ...] = ()
    """Sources that answers may use and never name: `corp.example` (with its subdomains),
    `*.local`, `example.com/internal/*`."""
    budget: Annotated[int, Meta(ge=100, le=100_000)] = 4000
    """Tokens of search results that a model reads at most."""
    embedded_budget: Annotated[int, Meta(ge=100, le=100_000)] = 600
    """The same for the embedded engine, which reads slowly."""
    documentation: bool = True
    """Whether Xinghe's own pages are part of the local corpus."""

    def __post_init__(self) -> None:
        if self.url and not is_web_url(self.url):
            raise ValueError("`url` is wrong, allowed: an http:// or https:// URL")
        if self.provider == "searxng" and not self.url:
            raise ValueError('`provider` is "searxng", which needs the `url` of an instance')
        if self.provider == "baidu" and not (self.key or self.key_env):
            raise ValueError('`provider` is "baidu", which needs a `key` or `key_env`')


class Embedding(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The processes that make vectors."""

    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    priority: Literal["idle", "low", "normal"] = "idle"
    """`idle` runs when nothing else wants the processor; `low` gets a small share of it."""


class Pictures(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Pictures in a conversation."""

    fetch_timeout: Seconds = 10.0
    """How long fetching a picture from its URL may take."""
    read_timeout: Seconds = 60.0
    """How long reading a picture for an engine without vision may take."""


class Database(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where accounts, ledger and kept answers are."""

    url: str = ""
    """`postgresql://user:password@host/database`; empty: the data directory's own database."""

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("postgresql://", "postgres://")):
            # Without what it is: a password may be in it.
            raise ValueError("`url` is not empty, and no postgresql:// URL")
        if re.search("://[^/?]*[/?].*@", self.url):
            raise ValueError(
                "`url` has an @ behind its host: in a user's name and password, characters other "
                "than letters and digits are written as %XX"
            )


class Log(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Logs go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console", "auto"] = "auto"
    """`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything that an operator can set, but for the models (see `catalog`)."""

    data: str = ""
    """The data directory; empty: `$XDG_DATA_HOME/xinghe`."""
    server: Server = Server()
    embedded: Embedded = Embedded()
    weights: Weights = Weights()
    safety: Safety = Safety()
    fetching: Fetching = Fetching()
    pictures: Pictures = Pictures()
    idempotency: Idempotency = Idempotency()
    responses: Responses = Responses()
    configuration: Configuration = Configuration()
    search: Search = Search()
    embedding: Embedding = Embedding()
    images: Images = Images()
    database: Database = Database()
    valkey: Valkey = Valkey()
    signin: SignIn = SignIn()
    payment: Payment = Payment()
    console: Console = Console()
    bill: Bill = Bill()
    backups: Backups = Backups()
    log: Log = Log()

    @property
    def data_dir(self) -> Path:
        return Path(self.data).expanduser().absolute()

    @property
    def weights_dir(self) -> Path:
        if self.weights.cache:
            return Path(self.weights.cache).expanduser().absolute()
        return xdg("XDG_CACHE_HOME", ".cache") / "xinghe" / "weights"


def xdg(variable: str, fallback: str) -> Path:
    """A base folder of the XDG specification; `fallback` is under the home folder."""
    value = os.environ.get(variable)
    return Path(value) if value else Path.home() / fallback
