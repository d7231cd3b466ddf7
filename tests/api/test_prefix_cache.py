"""No account learns from `cached_tokens`, or from the time, what another one asked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.server import Server

pytestmark = pytest.mark.embedded

MODEL = "ernie-4.5-turbo-32k"
SECRET = "The northern harbour is sold for 4711 crowns; the contract is signed on Monday. " * 6
WRONG = "Her doctor found nothing, and the operation in Geneva was put off until autumn. " * 6


@pytest.fixture(scope="module")
def others(server: Server, api: Api) -> list[Api]:
    """Accounts beside the usual one."""
    made = []
    for name in ("prefix-b", "prefix-c"):
        server.run("member", "create", name)
        made.append(api.bearing(server.token(account=name)))
    return made


def ask(api: Api, *texts: str) -> tuple[int, float]:
    """`cached_tokens`, and how many seconds the answer took."""
    roles = ("user", "assistant") * len(texts)
    messages: list[dict[str, Any]] = [
        {"role": role, "content": text} for role, text in zip(roles, texts, strict=False)
    ]
    began = time.monotonic()
    reply = api.chat(model=MODEL, messages=messages, max_completion_tokens=2)
    took = time.monotonic() - began
    assert reply.status == 200, reply.body
    return reply.json["usage"]["prompt_tokens_details"]["cached_tokens"], took


def test_a_right_guess_of_another_account_s_prompt_looks_like_a_wrong_one(
    api: Api, others: list[Api]
) -> None:
    assert ask(api, SECRET)[0] < 40
    again, quick = ask(api, SECRET)
    assert again > 80, "the account's own prompt is not read twice"
    (right, slow), (wrong, as_slow) = ask(others[0], SECRET), ask(others[1], WRONG)
    assert (right, wrong) == (0, 0)
    assert slow > as_slow / 4
    assert slow > quick
    followed = ask(api, SECRET, "Noted.", "And then?")[0]
    assert followed > 80, "a second turn keeps what the first one read"
