"""Refusals of `/responses`: OpenAI's, by the names that fields have here."""

from xinghe.api.error_form import ErrorForm
from xinghe.api.errors import ApiError, ErrorAnswer

NAMES = {"messages": "input", "functions": "tools", "system": "instructions"}
"""What is called otherwise where answers are made."""


class ResponsesErrors(ErrorForm):
    def body(self, error: ApiError, request_id: str) -> ErrorAnswer:
        answer = error.body(request_id)
        answer.error.param = NAMES.get(error.param or "", error.param)
        return answer


RESPONSES_ERRORS = ResponsesErrors()
