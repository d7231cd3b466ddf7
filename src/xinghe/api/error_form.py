"""In what form a refusal leaves: OpenAI's, unless an operation has one of its own."""

from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.api.errors import ApiError, ErrorAnswer


class ErrorForm:
    """OpenAI's; `shape` is that of its body."""

    shape: type = ErrorAnswer

    def status(self, error: ApiError) -> int:
        return error.row.status

    def body(self, error: ApiError, request_id: str) -> Any:
        """What is sent where nothing has left yet."""
        return error.body(request_id)

    def event(self, error: ApiError, request_id: str) -> bytes:
        """What ends a stream that has begun."""
        return b"data: " + msgspec.json.encode(self.body(error, request_id)) + b"\n\n"


class RenamedParams(ErrorForm):
    """The same, where fields have other names than those that answers are made by."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def body(self, error: ApiError, request_id: str) -> ErrorAnswer:
        answer = error.body(request_id)
        param = answer.error.param
        answer.error.param = self._names.get(param or "", param)
        return answer


OPENAI_ERRORS = ErrorForm()
