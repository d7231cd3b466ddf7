"""`user` and its alias `user_id`: who stands behind a request. Every operation takes both."""

from __future__ import annotations

from typing import Any

from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import text
from xinghe.catalog.parameters import parameters

FIELDS = ("user", "user_id")


def read_user(body: dict[str, Any]) -> str:
    """What is said of the end user, empty if nothing. Raises `ApiError`."""
    said = []
    for field in FIELDS:
        if body.get(field) == "":
            raise ApiError(Errors.INVALID_USER_ID, "user_id can not be empty", param=field)
        limits = parameters()[field].range(openai=False)
        assert limits is not None
        said.append(text(body, field, *limits))
    return " ".join(filter(None, said))
