"""`user` (or `user_id`): may be left out, may not be empty."""

from __future__ import annotations

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT


@pytest.mark.parametrize("field", ["user", "user_id"])
def test_empty(api: Api, field: str) -> None:
    reply = api.at(DOCUMENTED).chat(model=CHAT, **{field: ""})
    refused(reply, 400, "invalid_request_error", "invalid_user_id", "user_id can not be empty")
    # OpenAI's clients send an empty one for none.
    answered(api.at(STRICT).chat(model=CHAT, **{field: ""}))


@pytest.mark.parametrize("field", ["user", "user_id"])
def test_too_long(api: Api, field: str) -> None:
    reply = api.chat(model=CHAT, **{field: "名" * 1025})
    refused(
        reply, 400, "invalid_request_error", "malformed_json", "1 to 1024 characters", param=field
    )


@pytest.mark.parametrize("field", ["user", "user_id"])
def test_taken(api: Api, field: str) -> None:
    answered(api.chat(model=CHAT, **{field: "小明"}))
