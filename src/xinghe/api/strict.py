"""A body as a strict Struct: a field that it does not name is refused, by its name.

An unknown parameter of a model call may be passed over; half of a change may not.
"""

from collections.abc import Collection
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from xinghe.api.body import Body
from xinghe.api.errors import ApiError, Errors, refuse, shown
from xinghe.api.large_json import decode
from xinghe.api.wording import allowed
from xinghe.settings import suggestion

S = TypeVar("S", bound=msgspec.Struct)


class StrictForm(Generic[S]):
    """How a body becomes a Struct, whose fields are plain values and lists of them.

    No refusal repeats the value of a field that is `secret`.
    """

    def __init__(self, shape: type[S], secret: Collection[str] = ()) -> None:
        assert shape.__struct_config__.forbid_unknown_fields, shape
        self.shape = shape
        self._secret = secret
        self._fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
        self._decode = msgspec.json.Decoder(shape).decode

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._fields)

    def set_in(self, given: S) -> list[str]:
        """The fields that are set to something else than their default."""
        values = ((name, getattr(given, field.name), field) for name, field in self._fields.items())
        return [name for name, value, field in values if value not in (UNSET, field.default)]

    async def read(self, body: Body) -> S:
        """Raises `ApiError` (400)."""
        text = body.text
        if text is None:
            return self._build(await body.value())
        try:
            return self._decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._build(decode(text))  # which tells what is wrong

    def _build(self, sent: Any) -> S:
        if not isinstance(sent, dict):
            kind = "array" if isinstance(sent, list) else "value"
            raise ApiError(
                Errors.MALFORMED_JSON,
                f"Invalid Argument: the body is a JSON {kind}, allowed: an object",
            )
        unknown = next((name for name in sent if name not in self._fields), None)
        if unknown is not None:
            raise ApiError(
                Errors.MALFORMED_JSON,
                f"{shown(unknown)} is no field of this operation, "
                f"{suggestion(unknown[:80], self._fields)}",
                param=unknown[:60] if unknown.isprintable() else None,
            )
        values = {}
        for name, field in self._fields.items():
            words = allowed(field.type, ())
            if name in sent:
                value = sent[name]
                if isinstance(value, float) and value.is_integer():
                    value = int(value)  # as which it may be written: 5.0
                try:
                    values[field.name] = msgspec.convert(value, field.type)
                except msgspec.ValidationError:
                    if name not in self._secret:
                        raise refuse(name, sent[name], words) from None
                    text = f"{name} is not as it may be, allowed: {words}"
                    raise ApiError(Errors.MALFORMED_JSON, text, param=name) from None
            elif field.required:
                raise ApiError(
                    Errors.MALFORMED_JSON, f"{name} is missing, allowed: {words}", param=name
                )
        return self.shape(**values)
