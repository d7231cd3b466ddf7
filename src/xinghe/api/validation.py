"""A request's body as a typed Struct: decoded and checked in one pass, worded where it is wrong.

Ranges stand in the annotations of an operation's Struct: msgspec checks by them, `/openapi.json` is
made from them, and so are the words of a refusal. What an annotation cannot say to msgspec (that a
flag may only be false, that two fields exclude each other) is looked at where the Struct is read.
Fields that the Struct does not name are passed over, and told to the client.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import quote

import msgspec
from msgspec import Meta, ValidationError

from xinghe.accounts import Principal
from xinghe.api.errors import ApiError, Errors, no_such_model, refuse
from xinghe.api.exchange import Exchange, check_whole, read_body
from xinghe.api.large_json import decode
from xinghe.api.wording import allowed, struct_of
from xinghe.catalog import Catalog, Kind, ModelCard
from xinghe.dispatch import Live
from xinghe.settings import Server, nearest

MAX_LISTED = 20
"""Parameters without effect that are named to a client."""
MAX_NAME = 40
"""Characters of such a name."""
ALIKE = 0.81
"""How alike a name and a known one must be. `top_k` is 0.8 like `top_p`, and does not mean it."""

NotEmpty = Annotated[str, Meta(min_length=1)]
ModelName = Annotated[str, Meta(min_length=1, description="An id of GET /models.")]
EndUser = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        description="最终用户的标识，不能为空。 The end user's id; not empty.",
    ),
]
AnyUser = Annotated[
    str, Meta(max_length=1024, description="最终用户的标识，可为空。 The end user's id, or empty.")
]
"""Of `/v1`, where clients send an empty one for none."""

OnlyFalse = Annotated[bool, Meta(extra_json_schema={"enum": [False]}, extra={"allowed": "false"})]
"""msgspec lets true pass, since it knows no literal of a flag: the Struct's reader refuses it."""

_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_LACKS = re.compile(r"missing required field `(.+?)`")


class OfModel(msgspec.Struct, kw_only=True):
    """A request for a model: what every operation takes."""

    default_model: ClassVar[str | None] = None
    """Whose request it is that names none; `None` where it has to."""

    model: ModelName | None = None

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """How the operation refuses a value; `path` leads to it from the body."""
        return refuse(path, value, allowed)


class Request(OfModel, kw_only=True):
    """What every operation in OpenAI's form takes."""

    user: EndUser | None = None
    user_id: EndUser | None = None

    @property
    def end_user(self) -> str:
        """What is said of the end user, empty if nothing."""
        return " ".join(filter(None, (self.user, self.user_id)))

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """An empty end user has an error of his own."""
        if value == "" and path in {"user", "user_id"}:
            return ApiError(Errors.INVALID_USER_ID, "user_id can not be empty", param=path)
        return super().refusal(path, value, allowed)


S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=OfModel)


class ParsedBody(msgspec.Struct, Generic[T]):
    """A body that was read. What it may hold depends on its model, which is looked for first.

    `model` is what stands there, of any type; `ignored` names fields that are not known.
    """

    form: Form[T]
    model: Any
    ignored: Sequence[str]
    valid: T | None
    body: dict[str, Any]
    """What was sent: all of it where it is not `valid` at once, else the field `as_sent`."""

    def checked(self, most: Mapping[str, int], adjusted: list[str] | None = None) -> T:
        """The request. Raises `ApiError`.

        `most` is the upper end of fields where the model's own is below that of the Struct. What
        is above it is refused; or set to it, where there is a list to name what was `adjusted`.
        """
        request = self.form.build(self.body, most) if self.valid is None else self.valid
        for name, top in most.items():
            value = getattr(request, name)
            if value is not None and value > top:
                if adjusted is None:
                    raise self.form.refusal(name, (), value, most)
                setattr(request, name, top)
                adjusted.append(f"{name}={top}")
        return request

    def sent(self, name: str) -> Any:
        """What stands in a field, of any type; `None`: nothing."""
        return self.body.get(name) if self.valid is None else getattr(self.valid, name)

    def leave_out(self, name: str) -> Any:
        """Take a field out as if it had not been sent; what stood there."""
        if self.valid is None:
            return self.body.pop(name, None)
        value = getattr(self.valid, name)
        setattr(self.valid, name, None)
        return value


class Form(Generic[T]):
    """How bodies become a Struct.

    Unknown fields are listed of the body, and of the objects in its fields `within`. The field
    `as_sent` is wanted untyped as well, with all that its Struct does not name.
    """

    def __init__(self, shape: type[T], within: Sequence[str] = (), as_sent: str = "") -> None:
        self.shape = shape
        self._fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
        inner = {name: struct_of(self._fields[name].type) for name in within}
        self._within = {
            name: frozenset(kind.__struct_encode_fields__) for name, kind in inner.items()
        }
        # A field that is not known is a fault here: those who send none need no second look.
        known = [(name, _strict(kind) | None, None) for name, kind in inner.items()]
        self._decode = msgspec.json.Decoder(_strict(shape, known)).decode
        self._as_sent = as_sent
        untyped = msgspec.defstruct("AsSent", [(as_sent, Any, None)] if as_sent else [])
        self._untyped = msgspec.json.Decoder(untyped).decode

    def read(self, text: bytes) -> ParsedBody[T]:
        """In one pass where all is right and known. Raises `ApiError` for what is no object."""
        sent: dict[str, Any] = {}
        try:
            valid = self._decode(text)
            if self._as_sent and getattr(valid, self._as_sent):
                sent = msgspec.structs.asdict(self._untyped(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.take(decode(text))
        return ParsedBody(self, valid.model, (), valid, sent)

    def take(self, body: Any) -> ParsedBody[T]:
        """The same of a body that is decoded. Raises `ApiError`."""
        if not isinstance(body, dict):
            kind = "array" if isinstance(body, list) else "value"
            raise ApiError(
                Errors.MALFORMED_JSON,
                f"Invalid Argument: the body is a JSON {kind}, allowed: an object",
            )
        return ParsedBody(self, body.get("model"), self._unknown(body), None, body)

    def build(self, body: dict[str, Any], most: Mapping[str, int]) -> T:
        """Field by field, so that it is the Struct's order by which one fault wins over another.

        Raises `ApiError`.
        """
        values: dict[str, Any] = {}
        for name, field in self._fields.items():
            value = body.get(name)
            if value is None and not field.required:
                continue
            try:
                values[field.name] = _convert(value, field.type)
            except _WrongError as wrong:
                raise self.refusal(name, wrong.steps, wrong.value, most) from None
        return self.shape(**values)

    def refusal(
        self, name: str, steps: Sequence[str | int], value: Any, most: Mapping[str, int]
    ) -> ApiError:
        """Of the value that `steps` lead to within a field."""
        inner = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        words = allowed(self._fields[name].type, steps, most.get(name))
        return self.shape.refusal("".join([name, *inner]), value, words)

    def meant(self, name: str) -> str | None:
        """The field that was probably meant by an unknown one."""
        within, dot, own = name.rpartition(".")
        known = self._within.get(within, ()) if dot else self._fields
        near = None if own in known else nearest(own.replace("-", "_"), known, ALIKE)
        return near and f"{within}{dot}{near}"

    def _unknown(self, body: dict[str, Any]) -> list[str]:
        unknown = [
            name for name, value in body.items() if name not in self._fields and value is not None
        ]
        for name, known in self._within.items():
            inner = body.get(name)
            if isinstance(inner, dict):
                unknown += [f"{name}.{each}" for each in inner if each not in known]
        return unknown


def _strict(shape: type[S], fields: Sequence[tuple[str, Any, Any]] = ()) -> type[S]:
    """The same Struct, for which a field that it does not name is a fault."""
    kind = msgspec.defstruct(
        shape.__name__, fields, bases=(shape,), forbid_unknown_fields=True, kw_only=True
    )
    return cast("type[S]", kind)


async def parse_request(
    form: Form[T],
    kind: Kind,
    exchange: Exchange,
    live: Live,
    server: Server,
    *,
    whole: bool = True,
) -> tuple[ParsedBody[T], ModelCard]:
    """A request's body, and the card of the model that it names. Raises what `read_body` raises.

    From here on the request keeps to what serves now, and holds who serves its model.

    Strings of more than `MAX_STRING` bytes are cut, and `exchange.missing` counts the characters
    that were dropped. Such a body is refused before its model is looked for, unless the caller
    says that it need not be `whole`, and refuses it in words of its own.
    """
    parsed = await parse_body(form, exchange, server, whole=whole)
    name = form.shape.default_model if parsed.model is None else parsed.model
    serving = live.now
    if isinstance(name, str):
        name = serving.catalog.aliases.get(name, name)
    card = _card(name, kind, serving.catalog, exchange.principal)
    exchange.begin(serving, card)
    exchange.model = str(name)
    return parsed, card


async def parse_body(
    form: Form[T], exchange: Exchange, server: Server, *, whole: bool = True
) -> ParsedBody[T]:
    """The same of a request that no model serves."""
    body = await read_body(exchange, server)
    exchange.body = None  # what was decoded is enough to hold
    text = body.text
    parsed = form.take(await body.value()) if text is None else form.read(text)
    exchange.missing = body.missing
    if whole:
        check_whole(exchange)
    exchange.body_read_at = time.perf_counter()
    return parsed


def _card(name: Any, kind: Kind, catalog: Catalog, principal: Principal) -> ModelCard:
    if name is None or name == "":
        raise ApiError(Errors.MODEL_EMPTY, "model is empty", param="model")
    if not isinstance(name, str):
        raise refuse("model", name, "the id of a model")
    card = catalog.models.get(name)
    if card is None:
        raise no_such_model(name, kind.value, param="model")
    if not principal.may_use(name):
        raise ApiError(
            Errors.MODEL_NOT_PERMITTED, f"No permission to use the model {name}", param="model"
        )
    if card.kind is not kind:
        raise refuse("model", name, f"a model of kind {kind.value}; this one is {card.kind.value}")
    return card


def tell_ignored(exchange: Exchange, form: Form[T], names: Sequence[str]) -> None:
    """Tell the client which of its parameters had no effect (contract, Sampling).

    The names come from outside: they are made safe for a header. Behind one that is much like a
    known one stands what was probably meant.
    """
    listed = []
    for name in (name[:MAX_NAME] for name in names[:MAX_LISTED]):
        meant = form.meant(name)
        listed.append(quote(name, safe="") + (f" (did you mean {meant}?)" if meant else ""))
    if len(names) > MAX_LISTED:
        listed.append(f"and {len(names) - MAX_LISTED} more")
    exchange.add_header("x-ignored-parameters", ", ".join(listed))


def tell_adjusted(exchange: Exchange, adjusted: Sequence[str]) -> None:
    """Tell the client which of its parameters were brought into range, and to what."""
    listed = [*adjusted[:MAX_LISTED]]
    if len(adjusted) > MAX_LISTED:
        listed.append(f"and {len(adjusted) - MAX_LISTED} more")
    exchange.add_header("x-adjusted-parameters", ", ".join(listed))


class _WrongError(Exception):
    """A value is wrong; `steps` lead to it: names of fields, and indices."""

    def __init__(self, steps: Sequence[str | int], value: Any) -> None:
        super().__init__()
        self.steps = steps
        self.value = value


def _convert(value: Any, kind: Any) -> Any:
    """A value as a type; an integer may be written as 5.0. Raises `_WrongError`."""
    root = {"": value}
    while True:
        try:
            return msgspec.convert(root[""], kind)
        except ValidationError as error:
            said = str(error)
        place = _PLACE.search(said)
        steps: list[str | int] = [
            name or int(index) for name, index in _STEP.findall(place[1] if place else "")
        ]
        if lacking := _LACKS.search(said):
            steps.append(lacking[1])
        holder: Any = root
        key: str | int = ""
        for step in steps:
            holder = holder[key]
            key = step
        found = holder.get(key) if isinstance(holder, dict) else holder[key]
        if not (isinstance(found, float) and found.is_integer() and "Expected `int" in said):
            raise _WrongError(steps, found)
        holder[key] = int(found)
