"""The tools of a request to `/responses`, as functions that a model may call.

A custom tool is a function with one text; what stands in a namespace is a function whose name
begins with it. The answer names each as it was sent.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.chat.schema import Function
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.validation import NotEmpty
from xinghe.core import Tool, ToolUse

BUILT_IN = frozenset(
    {
        "file_search", "computer", "computer_use", "computer_use_preview", "mcp",
        "code_interpreter", "image_generation", "local_shell", "shell", "apply_patch",
        "tool_search", "programmatic_tool_calling",
    }
)  # fmt: skip
"""OpenAI's tools that are not served."""
MOST = 128
"""Functions, those of all namespaces together."""
LONGEST = 64
"""Characters of a name: what the servers of models take."""


class FunctionTool(Function, tag="function", omit_defaults=False):
    """A function that the model may call."""


class CustomFormat(msgspec.Struct):
    """Of what a custom tool is given; a grammar is told to the model, no more."""

    type: Literal["text", "grammar"]
    syntax: Literal["lark", "regex"] | None = None
    definition: str | None = None


class CustomTool(msgspec.Struct, tag="custom"):
    """A tool that is given a text."""

    name: NotEmpty
    description: str | None = None
    format: CustomFormat | None = None


class Namespace(msgspec.Struct, tag="namespace"):
    """Functions under a common name."""

    name: NotEmpty
    tools: Annotated[list[FunctionTool | CustomTool], Meta(max_length=MOST)]
    description: Annotated[str, Meta(max_length=65536)] | None = None


class WebSearchTool(msgspec.Struct, tag="web_search"):
    """The platform's web search; what its other fields say changes nothing."""

    search_context_size: Literal["low", "medium", "high"] | None = None


class WebSearchPreview(msgspec.Struct, tag="web_search_preview"):
    """The same under its older name."""


class DatedWebSearch(msgspec.Struct, tag="web_search_2025_08_26"):
    """The same under the name of a day."""


SEARCHES = (WebSearchTool, WebSearchPreview, DatedWebSearch)
AnyTool = FunctionTool | CustomTool | Namespace | WebSearchTool | WebSearchPreview | DatedWebSearch


Kind = Literal["function", "custom", "web_search", "web_search_preview", "web_search_2025_08_26"]


class NamedTool(msgspec.Struct):
    """One of the tools."""

    type: Kind = "function"
    name: NotEmpty | None = None
    namespace: NotEmpty | None = None


class ToolChoice(msgspec.Struct):
    """Demands one of the tools, or allows some."""

    type: Literal[
        "function", "custom", "allowed_tools", "web_search", "web_search_preview",
        "web_search_2025_08_26",
    ]  # fmt: skip
    name: NotEmpty | None = None
    namespace: NotEmpty | None = None
    mode: Literal["auto", "required"] | None = None
    tools: Annotated[list[NamedTool], Meta(min_length=1, max_length=128)] | None = None


class Called(msgspec.Struct, frozen=True):
    """What a function is to the client: its name, and where it stands in the request."""

    name: str
    namespace: str | None
    custom: bool
    place: str


class Tools(msgspec.Struct, frozen=True):
    """What may be called, by the names that the model sees, and whether there is a web search."""

    functions: dict[str, Tool]
    called: dict[str, Called]
    searches: bool

    @property
    def places(self) -> tuple[str, ...]:
        """Where each stands in the request."""
        return tuple(each.place for each in self.called.values())


def read_tools(sent: Sequence[AnyTool]) -> Tools:
    """Raises `ApiError` for two of the same name, and for too many."""
    read = Tools({}, {}, any(isinstance(each, SEARCHES) for each in sent))
    for at, each in enumerate(sent):
        if isinstance(each, Namespace):
            for inner, tool in enumerate(each.tools):
                _add(read, tool, f"tools[{at}].tools[{inner}]", each.name)
        elif isinstance(each, FunctionTool | CustomTool):
            _add(read, each, f"tools[{at}]")
    if len(read.functions) > MOST:
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"tools holds {len(read.functions)} functions, allowed: at most {MOST}",
            param="tools",
        )
    return read


def flat_name(name: str, namespace: str | None) -> str:
    """How the model knows it."""
    return f"{namespace}__{name}" if namespace else name


def _add(
    read: Tools, sent: FunctionTool | CustomTool, place: str, namespace: str | None = None
) -> None:
    name = flat_name(sent.name, namespace)
    if len(name) > LONGEST:
        raise refuse(
            f"{place}.name",
            sent.name,
            f"at most {LONGEST} characters, those of its namespace and __ among them",
        )
    if name in read.functions:
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"tools holds {name!r} twice, allowed: each name once",
            param="tools",
        )
    custom = isinstance(sent, CustomTool)
    read.called[name] = Called(sent.name, namespace, custom, place)
    description = sent.description or ""
    if isinstance(sent, CustomTool):
        if sent.format is not None and sent.format.definition:
            description += f"\n\nThe input keeps to this grammar:\n{sent.format.definition}"
        read.functions[name] = Tool(name, description.strip(), _INPUT)
    else:
        read.functions[name] = Tool(name, description, sent.parameters or {}, sent.strict)


_INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The arguments of a custom tool."""


def tool_use(
    tools: Tools, choice: str | ToolChoice | None, parallel: bool | None
) -> tuple[ToolUse | None, bool]:
    """How functions may be used, `None` for not at all; and whether a search may be made.

    Raises `ApiError`.
    """
    mode = (choice.type if isinstance(choice, ToolChoice) else choice) or "auto"
    only: frozenset[str] | None = None
    searches = tools.searches
    if isinstance(choice, ToolChoice):
        if mode.startswith("web_search"):
            if not searches:
                raise refuse("tool_choice.type", mode, "a tool that tools holds")
            mode = "none"
        elif mode == "allowed_tools":
            mode, only, searches = _allowed(choice, tools)
        else:
            mode, only = "required", frozenset({_named(choice, "tool_choice", tools)})
            searches = False
    elif mode == "none":
        searches = False
    if not tools.functions:
        if mode == "required" and not searches:
            raise refuse("tool_choice", choice, "none or auto while no tools are given")
        return None, searches
    if mode == "none":
        return None, searches
    functions = tuple(tools.functions.values())
    return ToolUse(functions, "auto" if mode == "auto" else "required", only, parallel), searches


def _allowed(choice: ToolChoice, tools: Tools) -> tuple[str, frozenset[str] | None, bool]:
    if choice.mode is None or choice.tools is None:
        raise refuse("tool_choice", choice, "mode and tools beside the type allowed_tools")
    functions, searches = set[str](), False
    for at, each in enumerate(choice.tools):
        if each.type.startswith("web_search"):
            searches = tools.searches
        else:
            functions.add(_named(each, f"tool_choice.tools[{at}]", tools))
    if not functions:
        return "none", None, searches
    return choice.mode, frozenset(functions), searches


def _named(asked: NamedTool | ToolChoice, where: str, tools: Tools) -> str:
    known: Mapping[str, Called] = tools.called
    name = flat_name(asked.name or "", asked.namespace)
    if name not in known:
        raise refuse(f"{where}.name", asked.name, f"one of {', '.join(known)[:300]}")
    return name
