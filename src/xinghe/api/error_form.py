"""In what form a refusal leaves: OpenAI's, unless an operation has one of its own."""

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


OPENAI_ERRORS = ErrorForm()
