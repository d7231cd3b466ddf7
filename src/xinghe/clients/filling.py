"""The settings of a program with an installation's own values in them."""

from __future__ import annotations

import json
import re
import shlex
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from xinghe.clients.client import Client, Form, Part, Values
from xinghe.columns import padded, width

_VALUE = re.compile(r"«([^»]*)»|\{(context|output)\}")
_NAME = re.compile(r"\{(\w+)\}")
_ENDS = {chr(code): f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029)}
"""What JSON leaves as it is, and TOML or an editor does not."""

AGENT = (
    "它的一个请求有几万 token，默认的内置模型又小又慢：先把 {model} 换成真正的模型"
    "（xinghe models use {model} http://…/v1）。",
    "One request of it is tens of thousands of tokens, and the built-in default is small and slow: "
    "have a real model behind {model} first (xinghe models use {model} http://…/v1).",
)
LISTEN = (
    "让服务也听别的地址（xinghe serve --host 0.0.0.0），写容器够得着的那个。",
    "have the service listen to others, too (xinghe serve --host 0.0.0.0), and give the address "
    "that the container reaches.",
)
HOST_NETWORK = (
    f"在 Linux 上，--network host 让容器够得着 127.0.0.1；在别的系统上，{LISTEN[0]}",
    f"On Linux, --network host has the container reach 127.0.0.1; elsewhere, {LISTEN[1]}",
)
CONTAINER = (
    f"它在容器里，够不着 127.0.0.1：{LISTEN[0]}",
    f"It runs in a container, which does not reach 127.0.0.1: {LISTEN[1]}",
)


class Filled(msgspec.Struct, frozen=True):
    """A part as it is pasted: a text, or names and values of a page's fields."""

    form: Form
    place: str
    text: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def pasted(self) -> str:
        """As it is pasted, or filled in: then one field a line."""
        most = max((width(label) for label, _ in self.fields), default=0)
        return self.text + "".join(
            f"{padded(label, most)}  {value}\n" for label, value in self.fields
        )


def filled(client: Client, values: Values, *, chinese: bool) -> list[Filled]:
    """All parts of the settings. No value can end a text early, whatever is in it."""
    names = {**msgspec.structs.asdict(values), "base": values.url + client.mount}
    return [_part(part, names, chinese=chinese) for part in client.parts]


def notes(client: Client, values: Values, *, chinese: bool) -> list[str]:
    """What has to be known beside the settings."""
    said = [(client.chinese, client.english)]
    if client.container and _is_own(values.url):
        here = any("--network host" in part.text for part in client.parts)
        said.append(HOST_NETWORK if here else CONTAINER)
    if client.agent and values.built_in:
        said.append(AGENT)
    return [(one if chinese else other).replace("{model}", values.model) for one, other in said]


def _part(part: Part, names: dict[str, object], *, chinese: bool) -> Filled:
    def named(found: re.Match[str]) -> str:
        return str(names[found[1]])

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return str(names[found[2]])
        return _quoted(part.form, _NAME.sub(named, found[1]))

    fields = tuple(
        (
            each.chinese if chinese else each.english,
            _NAME.sub(named, each.value if chinese or not each.other else each.other),
        )
        for each in part.fields
    )
    return Filled(part.form, part.place, _VALUE.sub(value, part.text), fields)


def _quoted(form: Form, text: str) -> str:
    """One value of the form's own."""
    if form == "bash":
        return shlex.quote(text)
    found = json.dumps(text, ensure_ascii=False)  # a literal of Python and of TOML, too
    return "".join(_ENDS.get(each, each) for each in found)


def _is_own(url: str) -> bool:
    """Whether it is reached from this machine alone."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
